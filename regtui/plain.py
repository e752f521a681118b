"""ASCII replacements, for terminals and files that can't show other characters."""

from __future__ import annotations

IN_CELLS = str.maketrans(
    {
        **dict.fromkeys("─┄┈╴╶╸╺▔▁▂▃⎯", "-"),
        "╌": "=",
        **dict.fromkeys("━═", "="),
        **dict.fromkeys("│┃║╎┆┊▏▕▎▍┤├╵╷╹╻", "|"),
        **dict.fromkeys("┌┐└┘┼┬┴╭╮╰╯╔╗╚╝╞╡╪┏┓┗┛┣┫┳┻╋", "+"),
        **dict.fromkeys("█▉▊▋▌▐▀▄▅▆▇▙▛▜▟▚▞▗▖▘▝▮■▶⬤", "#"),
        **dict.fromkeys("░▒▓▯□", "."),
        **dict.fromkeys(map(chr, range(0x2801, 0x2900)), "."),  # braille
        **dict.fromkeys("○∙·⋅⋯", "."),
        **dict.fromkeys("★☆", "*"),
        "\N{BRAILLE PATTERN BLANK}": " ",
        "●": "O",  # different marks in a chart stay different
        "•": "o",
        "◆": "X",
        "◇": "x",
        **dict.fromkeys("‹←◀", "<"),
        **dict.fromkeys("›→▸", ">"),
        **dict.fromkeys("↑▲△", "^"),
        **dict.fromkeys("↓▼▽", "v"),
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
        **dict.fromkeys("≈±", "~"),
        "’": "'",
        "“": '"',
        "”": '"',
        "\N{NO-BREAK SPACE}": " ",
    }
)
"""One character for each, so that charts and tables keep their shape."""
IN_SENTENCES = IN_CELLS | str.maketrans(
    {"·": "-", "…": "...", "λ": "lambda", "→": "->", "²": "^2", "₁": "_1", "₂": "_2", "≤": "<=", "≥": ">="}
)
"""The same with longer replacements, which read better in sentences; the text after them moves."""
