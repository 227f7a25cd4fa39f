"""The reference of all settings is what the schema says today."""

from app import manual
from modules.preset.problems import all_knobs
from modules.system.bundled import ROOT


def test_the_manual_is_not_stale() -> None:
    page = (ROOT / "resources/manual/settings.md").read_text(encoding="utf-8")
    advice = "run: ./start-ui.sh settings --markdown > resources/manual/settings.md"
    assert page == manual.markdown(), advice


def test_every_setting_is_in_both_lists() -> None:
    page, plain = manual.markdown(), manual.plain()
    for knob in all_knobs():
        assert f"`{knob.path}`" in page
        assert f"  {knob.path} = " in plain
        assert knob.help in page
