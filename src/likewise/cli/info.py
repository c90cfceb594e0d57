"""`likewise info`: what a saved model is and how well it did."""

from __future__ import annotations

from datetime import UTC, datetime

from likewise.cli import common


def info(model: common.Model, as_json: common.AsJson = False) -> None:
    """Show what a saved model holds."""
    from likewise.artifact.folder import open_files, read_manifest

    manifest = read_manifest(model)
    open_files(model, manifest)
    if as_json:
        common.print_json(manifest)
        return
    data, notes = manifest["data"], manifest["notes"]
    span = data.get("span") and " to ".join(f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}" for t in data["span"])
    facts = {
        "model": f"{manifest['model']['name']} {_settings(manifest['model']['settings'])}",
        "solver": f"{manifest['solver']['name']} {_settings(manifest['solver']['settings'])}",
        "preset": notes.get("preset"),
        "data": f"{data['events']:,} events, {data['users']:,} users, {data['items']:,} items" + (f", {span}" if span else ""),
        "ratings": data["range"] and f"{data['range'][0]:g} to {data['range'][1]:g}",
        "fitted in": f"{notes.get('fit_seconds', 0):.2f} s, seed {notes.get('seed')}",
        "remarks": "; ".join(notes.get("remarks", [])),
        "made": f"{manifest['created']} by likewise {manifest['likewise']}",
        "fingerprint": data["fingerprint"],
        "size": f"{sum(f['bytes'] for f in manifest['files'].values()) / 1e6:.1f} MB in {len(manifest['files'])} files, checksums right",
    }
    common.print_facts({label: value for label, value in facts.items() if value})


def _settings(settings: dict[str, object]) -> str:
    return ", ".join(f"{k}={v}" for k, v in settings.items() if not isinstance(v, dict))
