"""``ipvscope``: analyze, inspect, probe, trace, matrix, whatif, diff, rules, expected, redact, unredact.

Heavy libraries are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Never

import typer

from analyzer import __version__
from analyzer.cli.help import SpokenCommand, SpokenGroup
from analyzer.cli.screen import guard
from analyzer.errors import IpvscopeError

app = typer.Typer(
    name="ipvscope",
    cls=SpokenGroup,
    help="Who can reach which Service address in a Kubernetes cluster, who cannot, and why: from a support bundle, offline.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Bundles = Annotated[
    list[Path],
    typer.Argument(
        metavar="BUNDLE...",
        help="Folders, archives or single captures, of ipvscope's or another collector; several become one cluster.",
    ),
]
BundlePath = Annotated[
    Path,
    typer.Argument(metavar="BUNDLE", help="Folder, archive or single capture, of ipvscope's or another collector."),
]
NodeName = Annotated[
    str, typer.Option("--node", help="Node name for captures that do not say which node they are from.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--apply", help="Simulate this change first (repeatable): 'service NS/NAME externalTrafficPolicy=Cluster', k8s=1.28, "
        "'drain NODE', a manifest ... see whatif --help.",
    ),
]  # fmt: skip
Limit = Annotated[
    str,
    typer.Option(
        "--limits",
        help="What reading the bundle may take, e.g. memory=4g,cpu=600s,time=900s,size=40g (unpacked); or off.",
        show_default=False,
    ),
]
Language = Annotated[
    str,
    typer.Option(
        "--lang", metavar="zh|en", help="Language of texts; by default that of the locale.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document (docs/outputs.md).")]


class Threshold(StrEnum):
    critical = "critical"
    warning = "warning"
    notice = "notice"
    info = "info"
    never = "never"


class Table(StrEnum):
    servers = "servers"
    addresses = "addresses"
    sets = "sets"
    rules = "rules"
    all = "all"


class Form(StrEnum):
    ipvsadm = "ipvsadm"
    csv = "csv"
    json = "json"


def _limited(limits: str, bundle: Path | Sequence[Path], command: Callable[[], int]) -> Never:
    """Run a command that reads a bundle in a child process with limits, and leave with its exit code."""
    from analyzer.cli import out
    from analyzer.cli.progress import display
    from analyzer.limits import parse_limits, run_limited

    names = ", ".join(map(str, [bundle] if isinstance(bundle, Path) else bundle))
    try:
        code = run_limited(partial(display.around, command), (), parse_limits(limits), names)
    except KeyboardInterrupt:
        # Typer would leave without a word.
        out.warn("interrupted")
        code = 130
    raise typer.Exit(code)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"ipvscope {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Options of all commands."""


@app.command()
def analyze(
    bundle: Bundles,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the reports; made if absent.")] = Path(
        "ipvscope-report"
    ),
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", "-f", help="html, pdf, json, md, sarif, junit, csv, xlsx, parquet: comma-separated or repeated."
        ),
    ] = None,
    fail_on: Annotated[
        Threshold, typer.Option(help="Exit with 1 when a finding is at least this severe.")
    ] = Threshold.warning,
    node: NodeName = "",
    lang: Language = "",
    apply: Changes = None,
    intent: Annotated[
        Path | None, typer.Option(help="YAML file of who must and must not reach what; a violation is exit code 1.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(help="YAML file with other severities and accepted findings (with reason and expiry)."),
    ] = None,
    symptom: Annotated[
        list[str] | None,
        typer.Option(
            help="What somebody saw (repeatable), e.g. 'from node:N to 192.168.1.200:443 refused'; it comes first."
        ),
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate/--no-simulate", help="Try out each fix and show what it solves and breaks.")
    ] = True,
    limits: Limit = "",
    redact: Annotated[
        bool, typer.Option("--redact", help="Analyse a redacted copy: the report holds no name of yours (see redact).")
    ] = False,
    mapping: Annotated[
        Path | None, typer.Option(help="With --redact: the mapping. Default: beside the reports.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="With --redact: file with a secret, see redact.")] = None,
    json: Json = False,
    meta: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="For the cover (repeatable): ticket=..., customer=..., cluster=..., author=..., time=...; others as they are.",
        ),
    ] = None,
) -> None:
    """Analyse a bundle and write its reports: html, pdf and json unless --format says otherwise.

    Exit codes: 0 nothing at or above the threshold, 1 findings, 2 usage, 3 the bundle cannot be read,
    4 analysed but incomplete: an essential input is missing and nothing could be decided.
    """
    from analyzer.cli.analyze import run
    from analyzer.report.formats import chosen

    command = partial(
        run, bundle, output, list(chosen(formats or ())), fail_on.value, node, lang, apply or (),
        intent, policy, symptom or (), simulate=simulate, redact=(mapping, key) if redact else None,
        as_json=json, meta=meta or (),
    )  # fmt: skip
    _limited(limits, bundle, command)


@app.command()
def inspect(
    bundle: Bundles,
    table: Annotated[str, typer.Option("--table", "-t", help="Print this table instead of the overview.")] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the table there (.csv or .parquet).")
    ] = None,
    node: NodeName = "",
    limits: Limit = "",
    json: Json = False,
    lang: Language = "",
) -> None:
    """Show what a bundle holds: captures, coverage, each node's regime, parse notes, or one table."""
    from analyzer.cli.inspect import run

    _limited(limits, bundle, partial(run, bundle, table, output, node, lang=lang, as_json=json))


@app.command()
def probe(
    bundle: Bundles,
    source: Annotated[str, typer.Option("--from", help="node:NAME, pod:NAMESPACE/NAME or external:IP.")] = "",
    target: Annotated[str, typer.Option("--to", help="IP:PORT[/tcp|udp|sctp].")] = "",
    probes: Annotated[Path | None, typer.Option(help="CSV with the columns source,target.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the verdicts there as CSV.")] = None,
    json: Json = False,
    node: NodeName = "",
    lang: Language = "",
    apply: Changes = None,
    limits: Limit = "",
) -> None:
    """Say what a client sees when it dials an address: one question, or a table of them."""
    from analyzer.cli.probe import run_one, run_table

    if probes is not None:
        _limited(limits, bundle, partial(run_table, bundle, probes, output, node, apply or (), as_json=json))
    one = partial(run_one, bundle, source, target, as_json=json, node=node, lang=lang, apply=apply or ())
    _limited(limits, bundle, one)


@app.command()
def trace(
    bundle: Bundles,
    source: Annotated[str, typer.Option("--from", help="node:NAME, pod:NAMESPACE/NAME or external:IP.")],
    target: Annotated[str, typer.Option("--to", help="IP:PORT[/tcp|udp|sctp].")],
    json: Json = False,
    node: NodeName = "",
    lang: Language = "",
    apply: Changes = None,
    limits: Limit = "",
) -> None:
    """Follow one packet there and back, step by step, with the lines that prove each step."""
    from analyzer.cli.probe import run_trace

    one = partial(run_trace, bundle, source, target, as_json=json, node=node, lang=lang, apply=apply or ())
    _limited(limits, bundle, one)


@app.command()
def matrix(
    bundle: Bundles,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there (.csv or .parquet).")] = None,
    max_cells: Annotated[int, typer.Option(help="Walk at most so many cells; 0 for all.")] = 0,
    listeners: Annotated[
        bool,
        typer.Option("--listeners", help="Also ports of published addresses that only a process of a node listens on."),
    ] = False,
    node: NodeName = "",
    apply: Changes = None,
    limits: Limit = "",
    json: Json = False,
    lang: Language = "",
) -> None:
    """Who reaches what: every Service address and port from every node, pod and from outside, as a table."""
    from analyzer.cli.matrix import run

    command = partial(run, bundle, output, max_cells, listeners, node, apply or (), lang=lang, as_json=json)
    _limited(limits, bundle, command)


@app.command()
def whatif(
    bundle: Bundles,
    apply: Changes = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the changed cells there (.csv or .parquet).")
    ] = None,
    max_cells: Annotated[int, typer.Option(help="Walk at most so many cells; 0 for all.")] = 0,
    fail_on: Annotated[
        str, typer.Option(help="Exit with 1 when one of these effects occurs, e.g. broken,unknown,client-address.")
    ] = "",
    json: Json = False,
    node: NodeName = "",
    lang: Language = "",
    limits: Limit = "",
) -> None:
    """What a change does to who reaches what: the cells that differ, with the controllers' and kube-proxy's reaction simulated.

    \b
    --apply takes, also several times:
      service NS/NAME FIELD=VALUE ...   externalTrafficPolicy, internalTrafficPolicy, type, hostname, ipMode, annotations.KEY ...
      delete service NS/NAME
      k8s=1.28 [NODE]                   kube-proxy of another release
      proxy-mode=nftables [NODE]        ipvs, iptables or nftables
      endpoint add NS/NAME NODE | endpoint remove NS/NAME POD | endpoint move NS/NAME POD NODE
      endpoint ready NS/NAME            the pods it selects become ready
      drain NODE | restart kube-proxy NODE
      listener IP:PORT[/udp]=IP:PORT,.. a listener made by hand in the cloud; nothing behind = deletes it
      sysctl KEY=VALUE [NODE]
      kube-proxy KEY=VALUE              masqueradeAll, clusterCIDR, nodePortAddresses, scheduler, excludeCIDRs, strictARP
      patch NS/NAME FILE                a merge patch or JSON patch
      fix CARD [NS/NAME]                a fix card of the report, as it was filled in there
      FILE                              changed manifests (Service, EndpointSlice, Endpoints, Node, Pod), JSON or YAML
    """
    from analyzer.cli.whatif import run

    _limited(limits, bundle, partial(run, bundle, apply or [], output, max_cells, fail_on, node, lang, as_json=json))


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The bundle captured before.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The bundle captured after.")],
    max_cells: Annotated[int, typer.Option(help="Walk at most so many cells of each matrix; 0 for all.")] = 0,
    fail_on: Annotated[
        str,
        typer.Option(help="Exit with 1 when this occurs: any, objects, nodes, broken, finding-new, finding-worse ..."),
    ] = "",
    json: Json = False,
    node: NodeName = "",
    lang: Language = "",
    limits: Limit = "",
) -> None:
    """Compare two bundles of one cluster: did the fix work, what changed before the incident.

    By meaning, aligned by names: findings new, gone and same; connections that work now or no longer; objects; node states.
    """
    from analyzer.cli.diff import run

    _limited(limits, new, partial(run, old, new, max_cells, fail_on, node, lang, as_json=json))


@app.command()
def rules(
    rule: Annotated[str, typer.Argument(metavar="[ID]", help="Explain this one.")] = "",
    lang: Language = "",
    json: Json = False,
) -> None:
    """List what can be found, or explain one rule."""
    from analyzer.cli.rules import run

    raise typer.Exit(run(rule, lang, as_json=json))


@app.command()
def expected(
    bundle: Bundles,
    node: Annotated[str, typer.Option("--node", help="The node; may be left out where there is only one.")] = "",
    form: Annotated[Form, typer.Option("--format", "-f", help="As the tools print it, or as tables.")] = Form.ipvsadm,
    what: Annotated[
        Table, typer.Option("--what", help="Virtual servers, VIPs, ipsets, iptables rules, or all.")
    ] = Table.servers,
    diff: Annotated[
        bool, typer.Option("--diff", help="How the capture differs, with the lines that prove it.")
    ] = False,
    limits: Limit = "",
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    lang: Language = "",
) -> None:
    """Print what kube-proxy in IPVS mode should have programmed on a node, from the objects alone.

    Virtual servers stand in the order ipvsadm prints them: protocol, address, port. What version or objects leave open is
    named on standard error. With --diff, exit codes: 0 nothing differs, 1 something does, 4 nothing to compare.
    """
    from analyzer.cli.expected import run

    _limited(
        limits, bundle, partial(run, bundle, node, "json" if json else form.value, what.value, diff=diff, lang=lang)
    )


@app.command()
def redact(
    bundle: BundlePath,
    output: Annotated[Path, typer.Option("--output", "-o", help="New folder, or .tar.gz, .tar.xz, .tar.")],
    mapping: Annotated[
        Path | None, typer.Option(help="The mapping; read if it is there, and written. Default: beside the output.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="File with a secret; the same secret gives the same names.")] = None,
    node: NodeName = "",
    limits: Limit = "",
    json: Json = False,
    lang: Language = "",
) -> None:
    """Write the same bundle without addresses, names, ids, MACs, certificates and tokens of yours; the findings stay the same.

    Addresses keep their prefixes and their kind. The mapping (mode 0600) brings the names back, see unredact. The output is
    scanned for what must not be in it, and deleted if something is.
    """
    from analyzer.cli.redact import run

    _limited(limits, bundle, partial(run, bundle, output, mapping, key, node, lang, as_json=json))


@app.command()
def unredact(
    report: Annotated[Path, typer.Argument(metavar="REPORT", help="JSON, HTML, Markdown or text.")],
    mapping: Annotated[Path, typer.Option(help="The mapping that redact wrote.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there, not to the terminal.")] = None,
    lang: Language = "",
) -> None:
    """Bring the names back into a report about a redacted bundle."""
    from analyzer.cli.redact import back

    raise typer.Exit(back(report, mapping, output, lang))


class Engine(StrEnum):
    pool = "pool"
    dask = "dask"


class TicketReport(StrEnum):
    html = "html"
    pdf = "pdf"
    json = "json"
    none = "none"


@app.command()
def batch(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SRC...",
            help="Folders of bundles, bundles, patterns, lists of tickets (.csv, .jsonl), URLs (s3://, oss://, https://).",
        ),
    ],
    output: Annotated[str, typer.Option("--output", "-o", help="Folder or URL of the results; run again to go on.")],
    report: Annotated[
        list[TicketReport] | None,
        typer.Option("--report", "-r", help="Report of each ticket (repeatable); html if not said."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=0, help="Bundles at a time; 0: one per core.")] = 0,
    limits: Annotated[
        str, typer.Option(help="For each bundle, e.g. memory=4g,cpu=600s,time=15m,size=8g (unpacked); 'off' for none.")
    ] = "",
    engine: Annotated[
        Engine, typer.Option(help="Where bundles are analysed: here, or on a Dask cluster.")
    ] = Engine.pool,
    scheduler: Annotated[str, typer.Option(help="Address of the Dask scheduler, tcp://HOST:PORT.")] = "",
    fail_on: Annotated[
        Threshold, typer.Option(help="Exit with 1 when a finding is at least this severe.")
    ] = Threshold.warning,
    simulate: Annotated[
        bool, typer.Option("--simulate/--no-simulate", help="Try out each fix (takes longer).")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Analyse again what is there already.")] = False,
    duckdb: Annotated[
        bool | None,
        typer.Option("--duckdb/--no-duckdb", help="Also queue.duckdb; if not said, when DuckDB is installed."),
    ] = None,
    xlsx: Annotated[bool, typer.Option("--xlsx", help="Also queue.xlsx.")] = False,
    https_listing: Annotated[
        bool, typer.Option("--https-listing", help="Read https:// pages of links as folders; trust the server.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    json: Json = False,
    node: NodeName = "",
    lang: Language = "en",
) -> None:
    """Analyse a queue of bundles: one result each, tables, and index.html by root cause, cluster, version and CNI.

    A broken bundle is a row of tickets.csv, never the end. A run that was stopped, also by kill -9, goes on where it was.

    Exit codes: 0 nothing at or above the threshold, 1 findings, 2 usage, 3 no bundle could be read, 4 no finding, but some
    bundles are failed or incomplete.
    """
    from analyzer.cli.batch import run

    raise typer.Exit(
        run(
            sources,
            output,
            [one.value for one in report or [TicketReport.html]],
            jobs,
            limits,
            engine.value,
            scheduler,
            fail_on.value,
            node,
            lang,
            simulate=simulate,
            fresh=fresh,
            duckdb=duckdb,
            workbook=xlsx,
            https_listing=https_listing,
            quiet=quiet,
            as_json=json,
        )  # fmt: skip
    )


for registered in app.registered_commands:
    registered.cls = SpokenCommand


def main() -> None:
    """Entry point: errors a user can act on become one message and an exit code, never a traceback."""
    from analyzer import progress
    from analyzer.cli import out
    from analyzer.cli.progress import display

    guard()
    display.enable()
    progress.listen(display.update)
    try:
        app()
    except IpvscopeError as error:
        from analyzer.cli.said import error_lines, language_of

        what, *hint = error_lines(error, language_of(sys.argv[1:]))
        out.warn(what)
        for line in hint:
            out.warn(line, prefix="  ")
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except KeyboardInterrupt:
        out.warn("interrupted")
        sys.exit(130)
    finally:
        display.stop()


if __name__ == "__main__":
    main()
