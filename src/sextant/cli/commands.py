"""The commands and their options; each imports what it needs only when it is called, so that help is instant."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from sextant.cli import exits
from sextant.cli.evidence_commands import evidence
from sextant.cli.price_commands import prices
from sextant.cli.process_commands import api, feed, work
from sextant.cli.user_commands import users

Json = Annotated[bool, Parameter(name="--json", negative="")]
Words = Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")]

app = App(
    name="sextant",
    help="What do I own, what is the market doing, and what is worth doing about it.",
    help_epilogue=exits.epilogue(),
    help_format="plaintext",
)
app.command(users)
app.command(api)
app.command(work)
app.command(feed)
app.command(evidence)
app.command(prices)


@app.command
def demo(
    *,
    host: str = "127.0.0.1",
    port: int = 8400,
    seed: int = 7,
    instruments: int = 240,
    venues: str = "bybit,deribit",
) -> None:
    """Serve a simulated market on this machine: real sockets, every answer marked simulated.

    Example: sextant demo --port 8400

    Parameters
    ----------
    host
        Address the API listens on.
    port
        Port the API listens on; 0 takes a free one.
    seed
        Seed of the simulated market; the same seed has the same past.
    instruments
        How many instruments the simulated market has.
    venues
        Which simulated venues are followed, by comma.
    """
    from sextant.cli.looping import leave, run_loop
    from sextant.cli.serving import Market, run_demo
    from sextant.config import listed

    run_loop(run_demo(host, port, Market(seed, instruments, listed(venues))))
    leave()


@app.command
def serve(*, host: str | None = None, port: int | None = None, venues: str | None = None) -> None:
    """Serve live markets; when a venue cannot be reached the answers say since when.

    Example: SEXTANT_DATABASE_URL=sqlite+aiosqlite:///sextant.db sextant serve

    Parameters
    ----------
    host
        Address the API listens on; SEXTANT_HOST by default.
    port
        Port the API listens on; SEXTANT_PORT by default.
    venues
        Whose markets are followed, by comma; SEXTANT_VENUES by default.
    """
    from sextant.cli.looping import leave, run_loop
    from sextant.cli.serving import run_live

    run_loop(run_live(host, port, venues))
    leave()


@app.command
def replay(paths: list[Path], /, *, json: Json = False) -> None:
    """Replay recordings through the market state: messages, gaps, crossed books, bars, rate and state hash.

    Example: sextant replay recording.jsonl.zst --json

    Parameters
    ----------
    paths
        Recordings: our own, cryptofeed's two formats, hftbacktest lines, Parquet or Feather bar packs.
    json
        One JSON object on standard output instead of a table.
    """
    from sextant.cli.replaying import replay_files

    replay_files(paths, as_json=json)


@app.command
def record(
    folder: Path,
    /,
    *,
    bases: Words = None,
    seconds: float | None = None,
    venues: str = "bybit",
    url: str | None = None,
    json: Json = False,
) -> None:
    """Record raw frames of venues with their receive time, one file an hour and venue, safe against a killed process.

    Example: sextant record recordings --venues bybit,kraken --bases BTC ETH --seconds 60

    Parameters
    ----------
    folder
        Where the files go.
    bases
        Base assets to record; all when absent.
    seconds
        How long; until interrupted when absent.
    venues
        Whose frames, by comma.
    url
        Another address of the venues, as simulated ones print it.
    json
        What was recorded as one JSON object on standard output.
    """
    from sextant.cli.recording import Order, record_frames
    from sextant.config import listed

    order = Order(tuple(bases or ()), seconds, url, listed(venues))
    asyncio.run(record_frames(folder, order, as_json=json))


scans = App(name="scan")
app.command(scans)


@scans.default
def scan(
    *,
    replay: Path | None = None,
    as_of: str | None = None,
    assume_spread_bps: float = 5.0,
    equity: float | None = None,
    profile: Literal["conservative", "balanced", "aggressive", "beast_mode"] = "balanced",
    instruments: Words = None,
    strategies: Words = None,
    min_grade: Literal["A", "B", "C", "unproven"] = "unproven",
    server: str = "http://127.0.0.1:8400",
    json: Json = False,
) -> None:
    """Scan for opportunities: on a server, or over a recorded bar pack as of a time.

    Example: sextant scan --replay bars.parquet --as-of 2024-06-01T00:00Z

    Parameters
    ----------
    replay
        A Parquet or Feather pack of bars; without it the server is asked.
    as_of
        Only bars closed by then are known; the end of the pack when absent.
    assume_spread_bps
        Spread assumed where the recording has no quotes, 0 to 1000; stated in every answer made with it.
    equity
        Account equity in USD; without it sizes are illustrative.
    profile
        Risk profile of the account.
    instruments
        BTC, BTC/USDT or an instrument id; all when absent.
    strategies
        Catalogue ids; all when absent.
    min_grade
        Keep this grade and better.
    server
        Address of a running server; its token is read from SEXTANT_TOKEN.
    json
        The results body of the API on standard output.
    """
    from sextant.cli.scanning import Wanted, scan_replay, scan_server

    wanted = Wanted(
        tuple(instruments or ()), tuple(strategies) if strategies else None, min_grade, profile, equity
    )
    if replay is not None:
        scan_replay(replay, as_of, assume_spread_bps, wanted, as_json=json)
    else:
        asyncio.run(scan_server(server, wanted, as_json=json))


@scans.command(name="diff")
def scan_diff(a: str, b: str, /, *, server: str = "http://127.0.0.1:8400", json: Json = False) -> None:
    """Say what changed between two of your scans, and why.

    Example: sextant scan diff scan_e3de34ae54d640668bae4ad848f550a4 scan_1b7c9f0e4d3a4c6f8e21aa90b35d7c11

    Parameters
    ----------
    a, b
        Ids of ended scans, the earlier one first.
    server
        Where the server listens; the token is read from SEXTANT_TOKEN.
    json
        All changes as one JSON object on standard output.
    """
    from sextant.cli.comparing import compare

    asyncio.run(compare(server, a, b, as_json=json))


@scans.command(name="replay")
def scan_replay(scan_id: str, /, *, server: str = "http://127.0.0.1:8400", json: Json = False) -> None:
    """Run a stored scan of yours again from what it saw, and say whether it says the same.

    Example: sextant scan replay scan_e3de34ae54d640668bae4ad848f550a4

    Parameters
    ----------
    scan_id
        An ended scan whose view is still kept by the server.
    server
        Where the server listens; the token is read from SEXTANT_TOKEN.
    json
        The comparison as one JSON object on standard output.
    """
    from sextant.cli.comparing import replay_stored

    asyncio.run(replay_stored(server, scan_id, as_json=json))


@app.command
def opportunity(which: str, /, *, server: str = "http://127.0.0.1:8400", json: Json = False) -> None:
    """Take one opportunity apart: orders, costs from gross to net, what it earned before, why it is shown.

    Example: sextant opportunity 1

    Parameters
    ----------
    which
        Its rank in your latest scan, or its id.
    server
        Where the server listens; the token is read from SEXTANT_TOKEN.
    json
        The body of the API on standard output.
    """
    from sextant.cli.opening import tell

    asyncio.run(tell(server, which, as_json=json))


@app.command
def confluence(
    instrument: str,
    /,
    *,
    replay: Path | None = None,
    as_of: str | None = None,
    server: str = "http://127.0.0.1:8400",
    json: Json = False,
) -> None:
    """Take one score apart: dimensions, sub-scores, inputs, ages, what is missing and what would change it.

    Example: sextant confluence BTC --replay minutes.parquet --as-of 2025-06-01T00:00Z

    Parameters
    ----------
    instrument
        An instrument id, or BTC or BTC/USDT where only one instrument is called so.
    replay
        A Parquet or Feather pack of bars of 1m; without it the server is asked.
    as_of
        Only bars closed by then are known; the end of the pack when absent.
    server
        Address of a running server; its token is read from SEXTANT_TOKEN.
    json
        The body of the API on standard output.
    """
    from sextant.cli.scoring import tell_replay, tell_server

    if replay is not None:
        tell_replay(replay, as_of, instrument, as_json=json)
    else:
        asyncio.run(tell_server(server, instrument, as_json=json))


@app.command
def login(email: str, /, *, server: str = "http://127.0.0.1:8400") -> None:
    """Log in and print the line that sets SEXTANT_TOKEN for the other commands.

    Example: eval "$(sextant login ada@example.org)"

    Parameters
    ----------
    email
        Your address; the password is asked for, or read from standard input.
    server
        Where the server listens.
    """
    from sextant.cli.logging_in import log_in

    asyncio.run(log_in(server, email))


@app.command
def logs(
    *,
    since: str = "1h",
    level: Literal["debug", "info", "warning", "error", "critical"] = "info",
    demo: bool = False,
    json: Json = False,
) -> None:
    """Print what the server of this machine has logged, oldest first.

    Example: sextant logs --since 12h --level error

    Parameters
    ----------
    since
        How long ago to begin: a number of s, m, h or d.
    level
        The least grave level shown.
    demo
        The logs of the demo instead.
    json
        The lines as they were written, one JSON object each.
    """
    from sextant.cli.logging_out import show

    show(since, level, demo=demo, as_json=json)


@app.command
def doctor(*, json: Json = False) -> None:
    """Check this installation: interpreter, libraries, data folder, database, kernels.

    Example: sextant doctor

    Parameters
    ----------
    json
        One JSON object on standard output instead of a table.
    """
    from sextant.cli.checking import examine

    asyncio.run(examine(as_json=json))


@app.command(name="compile", show=False)
def compile_kernels(*, part: Literal["market", "indicators"] | None = None) -> None:
    """Compile every kernel now instead of at the first scan.

    Parameters
    ----------
    part
        Only one part of the work.
    """
    from sextant.cli.compiling import compile_all, compile_part

    asyncio.run(compile_all() if part is None else compile_part(part))


@app.command(show=False)
def simulate(
    *,
    port: int = 0,
    seed: int = 7,
    instruments: int = 240,
    pace: float = 1.0,
    recording: Path | None = None,
) -> None:
    """Run the simulated venues alone and print their addresses, or play a recording as its venue sent it.

    Parameters
    ----------
    port
        Port on loopback; 0 takes a free one.
    seed
        Seed of the market.
    instruments
        How many instruments it lists.
    pace
        Messages per instrument relative to the usual; seconds of a recording in one of the clock.
    recording
        Play this file instead of a market that is made.
    """
    from sextant.cli.playing import play_recording
    from sextant.cli.simulating import run_simulation

    if recording is not None:
        asyncio.run(play_recording(recording, port, pace))
        return

    asyncio.run(run_simulation(port, seed, instruments, pace))
