"""What a preset may be, what is said of one that may not, and how its values are changed from outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from pydantic import BaseModel

from regtui.cli.presets import print_schema
from regtui.errors import InputError
from regtui.models import KINDS
from regtui.preset.faults import Fault, PresetError
from regtui.preset.file import find, load, to_table, to_toml
from regtui.preset.model import Preset
from regtui.preset.places import available
from regtui.preset.validation import validate
from regtui.techniques import REGISTRY

Changed = Callable[..., Preset]


def faults(text: str, folder: Path) -> list[str]:
    """The lines about a preset of this text, without the file's name."""
    path = folder / "p.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PresetError) as caught:
        load(str(path))
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """Changes the preset of all defaults."""
    path = tmp_path / "empty.toml"
    path.write_text('title = ""')
    return partial(load, str(path))


# What is not there


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[train]\nepochz = 3", "train.epochz: is not known here; did you mean 'epochs'?"),
        ("[trian]\nepochs = 3", "trian: is not known here; did you mean 'train'?"),
        ("[regularized.dropuot]", "regularized.dropuot: is not known here; did you mean 'dropout'?"),
        ("[baseline.batchnorm]", "baseline.batchnorm: is not known here; did you mean 'batch_norm'?"),
        ("[regularized.dropout]\nrat = 0.1", "regularized.dropout.rat: is not known here; did you mean 'rate'?"),
        ("[regularized.l2]\nlambda_ = 1.0", "regularized.l2.lambda_: is not known here; known are strength"),
        ("schema_version = 1", "schema_version: is not known here; did you mean 'schema'?"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(text: str, fault: str, tmp_path: Path) -> None:
    assert faults(text, tmp_path) == [fault]


def test_where_no_known_name_is_near_all_are_named(tmp_path: Path) -> None:
    (fault,) = faults("[regularized.xyzzy]", tmp_path)
    assert fault == f"regularized.xyzzy: is not known here; known are {', '.join(REGISTRY)}"


# Types and bounds


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[train]\nepochs = "10"', "train.epochs: must be a whole number, not '10'; write 10"),
        ("[train]\nepochs = 10.0", "train.epochs: must be a whole number, not 10.0; write 10"),
        ("[train]\nseed = true", "train.seed: must be a whole number, not true; write it in digits"),
        ("[train]\nlearning_rate = true", "train.learning_rate: must be a number, not true; write it in digits"),
        ('[train]\nlearning_rate = "0.1"', "train.learning_rate: must be a number, not '0.1'; write 0.1"),
        ("[data]\nval_fraction = 2024-01-01", "data.val_fraction: must be a number, not datetime.date(2024, 1, 1)"),
        ("title = 3", 'title: must be a text in quotes, not 3; write "3"'),
        ("[model]\nhidden = 3", "model.hidden: must be a list, not 3; write [3]"),
        ('[model]\nhidden = [3, "a"]', "model.hidden.1: must be a whole number, not 'a'"),
        ("train = 3", "train: must be a table, not 3; write [train] and its values below"),
        ("baseline = []", "baseline: must be a table, not []; write [baseline] and its values below"),
        (
            "[regularized]\ndropout = 0.5",
            "regularized.dropout: must be a table, not 0.5; write regularized.dropout.rate = 0.5",
        ),
        (
            "[regularized.early_stopping]\nrestore_best = 1",
            "regularized.early_stopping.restore_best: must be true or false, not 1",
        ),
        ('[train]\noptimizer = "Adam"', "train.optimizer: must be 'adam', 'adamw' or 'sgd', not 'Adam'"),
        ('[train]\ndevice = "gpu"', "train.device: must be auto, cpu, cuda, cuda:N or mps, not 'gpu'"),
        ('[train]\ndevice = "cuda:"', "train.device: must be auto, cpu, cuda, cuda:N or mps, not 'cuda:'"),
        ("schema = 2", "schema: must be 1, not 2"),
    ],
)
def test_a_wrong_type_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    (found,) = faults(text, tmp_path)
    assert found.partition("; did you mean")[0] == fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[regularized.dropout]\nrate = 1.0", "regularized.dropout.rate: must be less than 1, not 1.0"),
        ("[regularized.dropout]\nrate = -0.1", "regularized.dropout.rate: must be at least 0, not -0.1"),
        ("[regularized.dropout]\nrate = nan", "regularized.dropout.rate: must be"),
        ("[regularized.dropout]\nafter = [0]", "regularized.dropout.after.0: must be at least 1, not 0"),
        ("[regularized.dropout]\ninput_rate = 1", "regularized.dropout.input_rate: must be less than 1, not 1"),
        ("[regularized.l1]\nstrength = -1e-4", "regularized.l1.strength: must be at least 0, not -0.0001"),
        ("[baseline.l2]\nstrength = -1", "baseline.l2.strength: must be at least 0, not -1"),
        ("[baseline.l2]\nstrength = inf", "baseline.l2.strength: must be a finite number, not inf"),
        (
            "[regularized.batch_norm]\nmomentum = 0.0",
            "regularized.batch_norm.momentum: must be greater than 0, not 0.0",
        ),
        ("[regularized.batch_norm]\neps = 0.0", "regularized.batch_norm.eps: must be greater than 0, not 0.0"),
        (
            "[baseline.early_stopping]\npatience = 0",
            "baseline.early_stopping.patience: must be at least 1, not 0",
        ),
        (
            "[baseline.early_stopping]\nmin_delta = nan",
            "baseline.early_stopping.min_delta: must be a finite number, not nan",
        ),
        ("[model]\nhidden = [0]", "model.hidden.0: must be at least 1, not 0"),
        ("[model]\nhidden = [65537]", "model.hidden.0: must be at most 65,536, not 65537"),
        (f"[model]\nhidden = {[8] * 65}", "model.hidden: must have at most 64 entries, not ["),
        ("[data]\nval_fraction = 0", "data.val_fraction: must be greater than 0, not 0"),
        ("[data]\nval_fraction = 1", "data.val_fraction: must be less than 1, not 1"),
        ("[data]\nval_samples = 0", "data.val_samples: must be at least 1, not 0"),
        ("[data]\ntrain_samples = 1", "data.train_samples: must be at least 2, not 1"),
        ("[train]\nepochs = 0", "train.epochs: must be at least 1, not 0"),
        ("[train]\nepochs = 100001", "train.epochs: must be at most 100,000, not 100001"),
        ("[train]\nbatch_size = 0", "train.batch_size: must be at least 1, not 0"),
        ("[train]\nseed = -1", "train.seed: must be at least 0, not -1"),
        ("[data]\nseed = -1", "data.seed: must be at least 0, not -1"),
        (f"[data]\nseed = {2**63}", "data.seed: must be less than 9,223,372,036,854,775,808, not 92233"),
        ("[data]\nseed = true", "data.seed: must be a whole number, not true; write it in digits"),
        ('[data]\nbootstrap = "yes"', "data.bootstrap: must be true or false, not 'yes'; write true"),
        ("[data]\nbootstrap = 1", "data.bootstrap: must be true or false, not 1"),
        ("[data]\nbootstraps = true", "data.bootstraps: is not known here; did you mean 'bootstrap'?"),
        (f"[train]\nseed = {2**63}", "train.seed: must be less than 9,223,372,036,854,775,808, not 92233"),
        ("[train]\nlearning_rate = nan", "train.learning_rate: must be a finite number, not nan"),
        ("[train]\nlearning_rate = inf", "train.learning_rate: must be a finite number, not inf"),
        ("[train]\nlearning_rate = 0", "train.learning_rate: must be greater than 0, not 0"),
        ("[train]\nweight_decay = -1e-4", "train.weight_decay: must be at least 0, not -0.0001"),
        ('name = "Two Words"', "name: must have only small letters, digits, '.', '_' and '-', at most 64, not"),
        ('name = "../up"', "name: must have only small letters, digits, '.', '_' and '-', at most 64, not"),
        ('name = ""', "name: must have only small letters, digits, '.', '_' and '-', at most 64, not ''"),
        (f'title = "{"x" * 201}"', "title: must have at most 200 characters, not 'xxx"),
    ],
)
def test_a_value_beyond_its_bounds_is_refused(text: str, fault: str, tmp_path: Path) -> None:
    (found,) = faults(text, tmp_path)
    assert found.startswith(fault)
    assert len(found) < 220, "a long value is shortened"


# What only several values together make wrong


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "[data]\ntrain_samples = 48001",
            "data.train_samples: 48,001 is more than the 48,000 images of MNIST that val_fraction 0.2 leaves to train",
        ),
        (
            '[data]\ndataset = "cifar10"\ntrain_samples = 40001',
            "data.train_samples: 40,001 is more than the 40,000 images of CIFAR-10 that val_fraction 0.2 leaves",
        ),
        (
            "[data]\nval_samples = 12001",
            "data.val_samples: 12,001 is more than the 12,000 images of MNIST that val_fraction 0.2 keeps to",
        ),
        (
            "[data]\nval_fraction = 0.01\nval_samples = 601",
            "data.val_samples: 601 is more than the 600 images of MNIST that val_fraction 0.01 keeps to validate on",
        ),
        ("[data]\nval_fraction = 1e-9", "data.val_fraction: 1e-09 of 60,000 images leaves 0 to validate on and 60,000"),
        (
            "[data]\nval_fraction = 0.9999999",
            "data.val_fraction: 1 of 60,000 images leaves 60,000 to validate on and 0",
        ),
        (
            "[regularized.dropout]\nafter = [1, 3]",
            "regularized.dropout.after: there is no activation 3; this network has 2",
        ),
        (
            "[model]\nhidden = []\n[baseline.dropout]",
            "baseline.dropout: the network has no activation, so there is nothing",
        ),
        (
            "[model]\nhidden = []\n[baseline.batch_norm]",
            "baseline.batch_norm: the network has no activation, so there is no layer to normalize",
        ),
        (
            "[data]\ntrain_samples = 65\n[baseline.batch_norm]",
            "baseline.batch_norm: 65 training examples in batches of 64 leave a batch of one",
        ),
        (
            "[train]\nbatch_size = 1\n[regularized.batch_norm]",
            "regularized.batch_norm: 48,000 training examples in batches of 1 leave a batch of one",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused(text: str, fault: str, tmp_path: Path) -> None:
    (found,) = faults(text, tmp_path)
    assert found.startswith(fault)


def test_a_linear_model_can_drop_inputs(changed: Changed) -> None:
    preset = changed(["model.hidden=[]", "regularized.dropout.input_rate=0.2"])
    assert preset.network == "784-10"


def test_batch_norm_takes_a_last_batch_of_two_and_one_batch_of_all(changed: Changed) -> None:
    assert changed(["data.train_samples=66", "regularized.batch_norm={}"]).steps_per_epoch == 2
    assert changed(["train.batch_size=100000", "regularized.batch_norm={}"]).steps_per_epoch == 1


def test_each_of_several_faults_has_its_line(tmp_path: Path) -> None:
    text = 'titel = "x"\n[train]\nepochs = 0\nseed = "a"\n[regularized.dropout]\nrate = 1.5\n[baseline.l3]\n'
    assert sorted(line.partition(":")[0] for line in faults(text, tmp_path)) == [
        "baseline.l3",
        "regularized.dropout.rate",
        "titel",
        "train.epochs",
        "train.seed",
    ]
    across = "[model]\nhidden = []\n[regularized.dropout]\n[regularized.batch_norm]\n[baseline.batch_norm]\n"
    assert [line.partition(":")[0] for line in faults(across, tmp_path)] == [
        "baseline.batch_norm",
        "regularized.dropout",
        "regularized.batch_norm",
    ]


def test_plain_data_is_validated_alike() -> None:
    with pytest.raises(PresetError, match=r"^a study: train\.epochs: must be at least 1, not 0$"):
        validate({"train": {"epochs": 0}}, "a study")


def test_a_fault_is_no_line_that_would_have_to_be_read_again() -> None:
    with pytest.raises(PresetError) as caught:
        validate({"train": {"a: b": 3, "epochs": 0}}, "a: file", {"train.epochs": "--epochs 0"})
    assert caught.value.faults == [
        Fault("train.epochs", "must be at least 1, not 0", "--epochs 0"),
        Fault("train.a: b", ANY, "a: file"),
    ]
    with pytest.raises(PresetError) as caught:
        validate({"model": {"hidden": []}, "regularized": {"dropout": {}}}, "f", {"regularized.dropout": "--set x"})
    (fault,) = caught.value.faults
    assert (fault.key, fault.origin) == ("regularized.dropout", "--set x")
    assert str(caught.value) == f"--set x: regularized.dropout: {fault.words}"


# The presets that come along


@pytest.mark.parametrize("name", sorted(available()))
def test_a_shipped_preset_is_valid_and_survives_being_written(name: str, tmp_path: Path) -> None:
    preset = load(name)
    assert preset.name == name
    assert preset.title
    assert preset.summary
    copy = tmp_path / "copy.toml"
    copy.write_text(to_toml(preset), encoding="utf-8")
    assert load(str(copy)) == preset


EDGES: list[dict[str, Any]] = [
    {},
    {"title": "Quotes \"'\\ and\nlines\ttabs \x1b[31m \x7f \u202e λ·‖w‖₁ 🎲 # no comment", "summary": '"""'},
    {"model": {"hidden": []}, "train": {"seed": 2**63 - 1, "learning_rate": 5e-324, "weight_decay": 1e22}},
    {"train": {"learning_rate": 1}, "data": {"train_samples": 2, "root": "C:\\data"}, "model": {"hidden": [1] * 64}},
    {
        "baseline": {"l1": {"mode": "loss"}, "early_stopping": {"patience": 1, "restore_best": False}},
        "regularized": {name: {} for name in REGISTRY} | {"dropout": {"after": [2, 1], "rate": 0}},
    },
]


@pytest.mark.parametrize("table", EDGES)
def test_an_odd_preset_survives_being_written(table: dict[str, Any], tmp_path: Path) -> None:
    preset = validate(table, "test")
    copy = tmp_path / "copy.toml"
    copy.write_text(to_toml(preset), encoding="utf-8")
    again = load(str(copy))
    assert again == preset
    assert to_table(again) == to_table(preset)


def test_a_file_with_windows_mark_and_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xef\xbb\xbf[train]\r\nepochs = 3\r\n")
    assert load(str(path)).train.epochs == 3


def test_a_file_with_no_value_of_its_own_is_the_preset_of_all_defaults(changed: Changed) -> None:
    assert changed() == Preset(name="empty")


# Names


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("mine", "mine"),
        ("My Net (v2)", "my-net-v2"),
        ("ÄÖ", "preset"),
        ("--x--", "x"),
        ("a" * 100, "a" * 64),
        ("x.y_z-1", "x.y_z-1"),
        ("._-", "preset"),
        ("\x1b[31mred", "31mred"),
    ],
)
def test_a_preset_is_named_after_its_file(stem: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.toml"
    path.write_text('title = "x"')
    assert load(str(path)).name == name


def test_a_name_of_its_own_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text('name = "own"')
    assert load(str(path)).name == "own"


def test_a_preset_in_the_working_folder_hides_the_program_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "dropout.toml").write_text('title = "Mine"')
    (tmp_path / "presets" / "other.toml").write_text('title = "Other"')
    assert load("dropout").title == "Dropout on MNIST"
    monkeypatch.chdir(tmp_path)
    assert load("dropout").title == "Mine"
    assert load("other").title == "Other"
    assert "l1" in available()


def test_a_name_is_no_path_and_a_path_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").write_text('title = "No suffix"')
    assert load("run").title == "No suffix"
    assert find("dropout.toml") == Path("dropout.toml")
    with pytest.raises(InputError, match=r"^dropout\.toml: there is no such file"):
        load("dropout.toml")


# Precedence: default < preset < --set < the named options


@pytest.fixture
def seven(tmp_path: Path) -> str:
    path = tmp_path / "seven.toml"
    path.write_text("[train]\nepochs = 7\n")
    return str(path)


def test_a_field_that_is_left_out_has_its_default(seven: str, changed: Changed) -> None:
    assert changed().train.epochs == 10
    assert load(seven).train.batch_size == 64


def test_the_preset_goes_before_the_default(seven: str) -> None:
    assert load(seven).train.epochs == 7


def test_set_goes_before_the_preset(seven: str) -> None:
    assert load(seven, ["train.epochs=8"]).train.epochs == 8


def test_the_last_of_two_sets_counts(seven: str) -> None:
    assert load(seven, ["train.epochs=8", "train.epochs=9"]).train.epochs == 9


def test_an_option_goes_before_set(seven: str) -> None:
    assert load(seven, ["train.epochs=8"], {"train.epochs": 9}).train.epochs == 9


def test_an_option_that_is_not_given_changes_nothing(seven: str) -> None:
    assert load(seven, ["train.epochs=8"], {"train.epochs": None, "train.seed": 0}).train.epochs == 8


def test_an_invalid_value_may_be_mended_from_outside(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text("[train]\nepochs = 0\n")
    assert load(str(path), ["train.epochs=1"]).train.epochs == 1


# --set


def test_set_makes_the_tables_on_its_way(changed: Changed) -> None:
    preset = changed(["regularized.dropout.rate=0.3", "regularized.dropout.after=[2]", "baseline.l2={}"])
    assert preset.regularized.label() == "dropout 0.3"
    assert preset.regularized.dropout is not None
    assert preset.regularized.dropout.after == [2]
    assert preset.baseline.active().keys() == {"l2"}


@pytest.mark.parametrize(
    ("item", "table", "key", "value"),
    [
        ("train.seed=3", "train", "seed", 3),
        ("train.seed = 0x10", "train", "seed", 16),
        (" train.seed =3", "train", "seed", 3),
        ("train.learning_rate=1e-4", "train", "learning_rate", 1e-4),
        ("train.learning_rate=1", "train", "learning_rate", 1),
        ("model.hidden=[3, 2]", "model", "hidden", [3, 2]),
        ('train.device="cpu"', "train", "device", "cpu"),
        ("train.device=cpu", "train", "device", "cpu"),
        ("train.device=cuda:1", "train", "device", "cuda:1"),
        ("data.root=/a=b", "data", "root", "/a=b"),
        ("data.root=", "data", "root", ""),
        ("data.root='3'", "data", "root", "3"),
        ("data.root=a\nb=3", "data", "root", "a\nb=3"),
        ("data.root=3\nb=3", "data", "root", "3\nb=3"),
    ],
)
def test_a_value_is_toml_or_else_a_text(item: str, table: str, key: str, value: object, changed: Changed) -> None:
    assert getattr(getattr(changed([item]), table), key) == value


@pytest.mark.parametrize(
    "item", ["", "train.epochs", "=3", "train.=3", ".epochs=3", "train..epochs=3", " . =3", "\x1b[31m"]
)
def test_a_set_that_is_no_assignment_is_refused(item: str, changed: Changed) -> None:
    with pytest.raises(InputError, match=r"^--set .*: write it as KEY=VALUE, like regularized\.dropout\.rate=0\.3$"):
        changed([item])


def test_a_value_has_no_keys_below_it(seven: str) -> None:
    with pytest.raises(
        InputError,
        match=r"^--set train\.epochs\.x=\S+: train\.epochs\.x: epochs is a value in this preset, not a table$",
    ):
        load(seven, ["train.epochs.x=3"])


@pytest.mark.parametrize("value", ["[" * 20_000, "9" * 5000, "\x1b[31m", "{", "1_", "2024-13-01"])
def test_a_value_that_no_one_can_read_is_a_text_of_the_wrong_type(value: str, changed: Changed) -> None:
    with pytest.raises(PresetError, match=r"train\.epochs: must be a whole number, not '") as caught:
        changed([f"train.epochs={value}"])
    assert str(caught.value).isprintable()


def test_a_set_is_as_strict_as_a_preset(changed: Changed) -> None:
    with pytest.raises(PresetError, match=r"regularized\.dropuot: is not known here; did you mean 'dropout'"):
        changed(["regularized.dropuot.rate=0.3"])
    with pytest.raises(PresetError, match="train: must be a table, not 3"):
        changed(["train=3"])


# --patience


def patiences(preset: Preset) -> list[int | None]:
    rules = [arm.early_stopping for arm in preset.arms().values()]
    return [None if rule is None else rule.patience for rule in rules]


@pytest.mark.parametrize(
    ("stopping", "expected"),
    [
        ((), [3, 3]),
        (("regularized.early_stopping={}",), [None, 3]),
        (("baseline.early_stopping.patience=9",), [3, None]),
        (("baseline.early_stopping={}", "regularized.early_stopping.patience=9"), [3, 3]),
    ],
)
def test_patience_is_of_the_arms_that_stop_early_or_else_of_both(
    stopping: tuple[str, ...], expected: list[int | None], changed: Changed
) -> None:
    assert patiences(changed(stopping, patience=3)) == expected


def test_without_the_option_patience_is_the_preset_s(changed: Changed) -> None:
    assert patiences(changed(["regularized.early_stopping.patience=9"])) == [None, 9]


@pytest.mark.parametrize("arm", ["baseline", "regularized"])
@pytest.mark.parametrize("value", ["3", "[]", "'early_stopping'"])
def test_patience_of_an_arm_that_is_no_table_is_a_fault_like_any(arm: str, value: str, changed: Changed) -> None:
    with pytest.raises(InputError, match=rf"{arm}\b.* a table"):
        changed([f"{arm}={value}"], patience=3)


# The schema


def models(model: type[BaseModel], key: str = "") -> dict[str, type[BaseModel]]:
    """Every table that a preset can have, by dotted key."""
    tables = {"data", "train", "baseline", "regularized"}
    found = {key: model}
    for name, field in model.model_fields.items():
        if key == "" and name in tables:
            assert isinstance(field.annotation, type)
            found |= models(field.annotation, name)
        elif key in {"baseline", "regularized"}:
            found[f"{key}.{name}"] = REGISTRY[name]
    return found


@pytest.fixture
def schema(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    print_schema()
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def resolve(schema: dict[str, Any], node: dict[str, Any], kind: str = "") -> dict[str, Any]:
    """The definition that a table's node refers to, straight or as one of several; of models, that of `kind`."""
    for choice in (node, *node.get("anyOf", ()), *node.get("oneOf", ())):
        if "$ref" in choice and (not kind or choice["$ref"].endswith(f"/{KINDS[kind].__name__}")):
            definition: dict[str, Any] = schema["$defs"][choice["$ref"].rpartition("/")[2]]
            return definition
    return node


def test_the_schema_knows_every_table_and_describes_every_field(schema: dict[str, Any]) -> None:
    tables = models(Preset)
    assert len(tables) == 1 + 4 + 2 * len(REGISTRY)
    kinds = schema["properties"]["model"]["oneOf"]
    nodes: list[tuple[str, type[BaseModel], dict[str, Any]]] = [
        (f"model of kind {name}", KINDS[name], resolve(schema, kinds[i])) for i, name in enumerate(KINDS)
    ]
    assert len(kinds) == len(KINDS)
    for key, model in tables.items():
        node = schema
        for part in key.split(".") if key else ():
            node = resolve(schema, node["properties"][part])
        nodes.append((key, model, node))
    for key, model, node in nodes:
        assert node["additionalProperties"] is False, key
        names = {field.alias or name for name, field in model.model_fields.items()}
        assert node["properties"].keys() == names, key
        assert not node.get("required"), "every field has a default"
        for name, field in node["properties"].items():
            assert field.get("description") or resolve(schema, field)["description"], f"{key}.{name}"


def test_the_schema_has_the_bounds_of_the_models(schema: dict[str, Any]) -> None:
    rate = schema["$defs"]["Dropout"]["properties"]["rate"]
    assert (rate["type"], rate["minimum"], rate["exclusiveMaximum"], rate["default"]) == ("number", 0, 1, 0.5)
    assert schema["$defs"]["TrainTable"]["properties"]["optimizer"]["enum"] == ["adam", "adamw", "sgd"]
    assert schema["properties"]["schema"]["const"] == 1


@pytest.mark.parametrize("name", sorted(available()))
def test_a_shipped_preset_follows_the_schema(name: str, schema: dict[str, Any]) -> None:
    def follow(table: dict[str, Any], node: dict[str, Any]) -> None:
        for key, value in table.items():
            under = node["properties"][key] if "properties" in node else next(iter(node["patternProperties"].values()))
            below = resolve(schema, under, value.get("kind", "") if isinstance(value, dict) else "")
            if isinstance(value, dict):
                follow(value, below)
                continue
            types = {int: {"integer", "number"}, float: {"number"}, str: {"string"}, list: {"array"}, bool: {"boolean"}}
            allowed = {choice.get("type") for choice in (below, *below.get("anyOf", ()))}
            assert allowed & types[type(value)] or "const" in below, key
            assert value in below.get("enum", [value])

    follow(to_table(load(name)), schema)


def test_fewer_images_to_validate_on_leave_as_many_to_train_on(changed: Changed) -> None:
    every, few = changed([]).sizes, changed(["data.val_samples=250"]).sizes
    assert (every.val, few.val) == (12_000, 250)
    assert few._replace(val=every.val) == every
    assert changed(["data.val_samples=12000"]).sizes == every


def test_what_randomness_follows_from_is_said_in_a_few_words(changed: Changed) -> None:
    assert changed(["train.seed=3"]).seeds == "seed 3"
    assert changed(["train.seed=3", "data.seed=0"]).seeds == "seed 3, split 0"
    assert changed(["train.seed=3", "data.seed=7", "data.bootstrap=true"]).seeds == "seed 3, split 7, bootstrap"


def test_a_contradiction_between_file_and_command_line_names_both() -> None:
    with pytest.raises(PresetError) as caught:
        load("dropout", ["model.hidden=[]"])
    assert str(caught.value).endswith(
        "presets/dropout.toml, with --set model.hidden=[]: regularized.dropout.after: there is no activation 1; this "
        "network has none"
    )
    with pytest.raises(PresetError, match=r"^--set regularized\.dropout\.after=\[9\]: "):
        load("dropout", ["regularized.dropout.after=[9]"])
