"""ASCII that means the same, for terminals and files whose encoding has no more."""

from __future__ import annotations

IN_CELLS = str.maketrans(
    {
        **dict.fromkeys("─━═╌┄┈╴╶╸╺▔▁▂▃⎯", "-"),
        **dict.fromkeys("│┃║╎┆┊▏▕▎▍┤├╵╷╹╻", "|"),
        **dict.fromkeys("┌┐└┘├┼┬┴╭╮╰╯╔╗╚╝╞╡╪┏┓┗┛┣┫┳┻╋", "+"),
        **dict.fromkeys("█▉▊▋▌▐▀▄▅▆▇▙▛▜▟▚▞▗▖▘▝▮■▶⬤", "#"),
        **dict.fromkeys("░▒▓▯□", "."),
        **dict.fromkeys(map(chr, range(0x2801, 0x2900)), "."),  # braille
        **dict.fromkeys("○∙·⋅⋯", "."),
        **dict.fromkeys("★☆", "*"),
        "\N{BRAILLE PATTERN BLANK}": " ",
        "●": "O",  # what a chart marks differently stays different
        "•": "o",
        "◆": "X",
        "◇": "x",
        **dict.fromkeys("‹←◀", "<"),
        **dict.fromkeys("›→▸", ">"),
        **dict.fromkeys("↑▲", "^"),
        **dict.fromkeys("↓▼", "v"),
        **dict.fromkeys("✓✔", "+"),
        "×": "x",
        "✗": "!",
        "−": "-",
        "–": "-",
        "—": "-",
        "…": ".",
        "Δ": "D",
        "δ": "d",
        "λ": "l",
        "η": "n",
        "é": "e",
        "ü": "u",
        "µ": "u",
        "μ": "u",
        "β": "b",
        "γ": "g",
        "ε": "e",
        "√": "V",
        "σ": "s",
        "∑": "S",
        "Σ": "S",
        "‖": "|",
        "²": "2",
        "₁": "1",
        "₂": "2",
        "≤": "<",
        "≥": ">",
        "≈": "~",
        "’": "'",
        "“": '"',
        "”": '"',
        "\N{NO-BREAK SPACE}": " ",
    }
)
"""One character for one, each a cell wide: charts and tables keep their shape."""
IN_SENTENCES = IN_CELLS | str.maketrans(
    {"·": "-", "…": "...", "λ": "lambda", "→": "->", "²": "^2", "₁": "_1", "₂": "_2", "≤": "<=", "≥": ">="}
)
"""For sentences: the same, but with longer forms where those read better; what follows them moves."""
