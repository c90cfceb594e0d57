"""The help pages: summaries that are not cut short, options in groups, types that say what is wanted."""

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from likewise.cli.app import VERBS, app

RUNNER = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})


def test_the_summary_of_every_verb_is_whole():
    page = RUNNER.invoke(app, ["--help"]).output.split("Commands:")[1]
    assert "..." not in page
    assert all(f"\n  {verb} " in page for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_on_the_page_once(verb):
    page = RUNNER.invoke(app, [verb, "--help"]).output
    heads = [line.split("  ")[1] for line in page.splitlines() if line.startswith("  -")]
    assert not any("list[" in head for head in heads)
    for parameter in get_command(app).commands[verb].params:
        if parameter.opts[0].startswith("-"):
            assert sum(max(parameter.opts, key=len) in head.replace(",", " ").split() for head in heads) == 1


def test_the_options_of_fit_come_in_groups():
    page = RUNNER.invoke(app, ["fit", "--help"]).output
    heads = [line for line in page.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert heads == ["Arguments:", "Options:", "Reading the table:", "Tables beside it:", "How it trains:"]
