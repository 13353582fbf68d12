"""`python -m bench [NAME…] [--database sqlite|postgresql] [--quick]`: measures, prints tables, writes nothing."""

from __future__ import annotations

import argparse

from bench import import_list, load, lookup, scan_folder, startup
from bench.place import Others, empty_place, machine
from bench.table import printed

BENCHES = {
    "startup": startup.run,
    "scan_folder": scan_folder.run,
    "load": load.run,
    "import_list": import_list.run,
    "lookup": lookup.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(BENCHES)} (default: all)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it works")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}")
    print(printed("machine", machine()))
    for name in options.names or BENCHES:
        with empty_place(options.database) as place:
            others = Others()
            figures = [*BENCHES[name](place, options.quick), others.figure()]
        print(printed(f"{name} ({options.database})", figures), flush=True)


if __name__ == "__main__":
    main()
