"""``make bench``: measure, print one table, keep it under var/bench/."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from bench import batch_issue, code_verify, desk_scan, fhir_create, gate, images, mllp_intake, reading
from bench.harness import Figure, Settings, describe_machine, ratios
from core import clock
from deploy.run import ROOT

# Each measures two contenders, the product first, or several times two.
BENCHES: dict[str, Callable[[Settings], list[Figure]]] = {
    "batch_issue": batch_issue.measure,
    "code_verify": code_verify.measure,
    "desk_scan": desk_scan.measure,
    "timeline": reading.measure_timeline,
    "report_read": reading.measure_report,
    "fhir_read": reading.measure_fhir,
    "growth": reading.measure_growth,
    "gate": gate.measure,
    "mllp_intake": mllp_intake.measure,
    "mllp_crowded": mllp_intake.measure_crowded,
    "fhir_create": fhir_create.measure,
    "images_store": images.measure_store,
    "images_cstore": images.measure_cstore,
    "images_list": images.measure_list,
    "images_search": images.measure_search,
    "images_metadata": images.measure_metadata,
    "images_rendered": images.measure_rendered,
    "images_rendered_again": images.measure_rendered_again,
    "images_frames": images.measure_frames,
}


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for. Returns the exit code."""
    chosen, settings = _read(arguments)
    machine, at = describe_machine(), clock.now()
    _say_machine(machine, settings)
    results = []
    for name in chosen:
        measured = BENCHES[name](settings)
        for figures in zip(measured[::2], measured[1::2], strict=True):
            compared = ratios(figures)
            _say_figures(figures, compared)
            results.append({"figures": [asdict(figure) for figure in figures], "ratios": compared})
    kept = ROOT / "var" / "bench" / f"{at:%Y%m%dT%H%M%SZ}.json"
    kept.parent.mkdir(parents=True, exist_ok=True)
    document = {"at": at.isoformat(), "machine": machine, "settings": asdict(settings), "results": results}
    kept.write_text(json.dumps(document, indent=1))
    print(f"\nkept as {kept.relative_to(ROOT)}")
    return 0


def _read(arguments: Sequence[str]) -> tuple[list[str], Settings]:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("benches", nargs="*", metavar="bench", help=f"any of {', '.join(BENCHES)}; all when left out")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one round of one contender")
    parser.add_argument("--connections", type=int, default=8, help="requests under way at any moment")
    parser.add_argument("--persons", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=10_000, help="people on one list of a batch")
    parser.add_argument("--reports", type=int, default=1_000_000, help="in the large database")
    parser.add_argument("--small-reports", type=int, default=0, help="in the small database; a tenth when left out")
    given = vars(parser.parse_args(arguments))
    chosen = given.pop("benches") or list(BENCHES)
    if unknown := set(chosen) - set(BENCHES):
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    return chosen, Settings(**given)


def _say_machine(machine: dict[str, Any], settings: Settings) -> None:
    print(f"{machine['cores']} cores, {machine['memory_gib']} GiB, load {machine['load_before']}, {machine['system']}")
    print(f"Python {machine['python']}, " + ", ".join(f"{name} {v}" for name, v in machine["versions"].items()))
    print(f"commit {machine['commit']}, " + ", ".join(f"{name} {v}" for name, v in asdict(settings).items()))


def _say_figures(figures: Sequence[Figure], compared: dict[str, dict[str, float]]) -> None:
    columns = list(figures[0].values)
    print(f"\n{figures[0].bench:<16}" + "".join(f"{column:>17}" for column in columns))
    for figure in figures:
        print(f"  {figure.contender:<14}" + "".join(f"{figure.values[column]:>17.2f}" for column in columns))
    print("  ratio         " + "".join(f"{compared[column]['median']:>17.2f}" for column in columns))
    spreads = (f"{compared[column]['lowest']:.2f}-{compared[column]['highest']:.2f}" for column in columns)
    print("    of rounds   " + "".join(f"{spread:>17}" for spread in spreads))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
