"""`python -m bench [NAME…] [--quick] [--database sqlite|postgresql]`: measures, prints tables, writes nothing.

Everything runs but what is called for by name only. The last table is all that was measured beside a peer.
"""

from __future__ import annotations

import argparse

from bench import (
    import_list,
    index_life,
    load,
    look_back,
    lookup,
    peers_folder,
    peers_pdq,
    peers_search,
    peers_upload,
    pull_list,
    scan_folder,
    startup,
)
from bench.photographs import photographs
from bench.place import Others, empty_place, machine
from bench.table import Figure, printed, ratios

BENCHES = {
    "startup": startup.run,
    "scan_folder": scan_folder.run,
    "load": load.run,
    "import_list": import_list.run,
    "pull_list": pull_list.run,
    "lookup": lookup.run,
    "look_back": look_back.run,
    "index_life": index_life.run,
    "peers_pdq": peers_pdq.run,
    "peers_search": peers_search.run,
    "peers_folder": peers_folder.run,
    "peers_upload": peers_upload.run,
}
BY_NAME_ONLY = {"hundred_million": index_life.run_hundred_million}
"""These take twelve GiB of memory and as much of disk."""


def main() -> None:
    """Run the benches that were asked for."""
    every = BENCHES | BY_NAME_ONLY
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(every)} (default: all but the last)")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, to see that it works")
    options = parser.parse_args()
    if unknown := set(options.names) - set(every):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}")
    found = Figure(what="photographs from open-source packages", value=str(len(photographs())))
    print(printed("machine", [*machine(), found]))
    beside: list[Figure] = []
    for name in options.names or BENCHES:
        with empty_place(options.database) as place:
            others = Others()
            figures = [*every[name](place, options.quick), others.figure()]
        print(printed(f"{name} ({options.database})", figures), flush=True)
        beside += figures
    print(ratios(beside))


if __name__ == "__main__":
    main()
