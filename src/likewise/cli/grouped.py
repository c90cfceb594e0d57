"""The help page of a verb, its options in groups."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

READING = "Reading the table"
TABLES = "Tables beside it"
TRAINING = "How it trains"
OTHERS = "Options"


class Grouped(TyperCommand):
    """A verb whose help lists options under their `rich_help_panel`, those without one first."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], OTHERS: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                group = "Arguments" if is_argument else getattr(parameter, "rich_help_panel", None) or OTHERS
                groups.setdefault(group, []).append(record)
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)
