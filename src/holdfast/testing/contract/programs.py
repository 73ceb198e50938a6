"""Promises about programs: what goes in, what comes out, and how they end."""

import secrets

from holdfast.engines import Engine, Exited
from holdfast.testing.attacks.canaries import environment_variable
from holdfast.testing.contract.case import Check, command, listen, require, run, run_in, sandbox

MiB = 1 << 20


async def a_program_speaks_on_both_streams(engine: Engine) -> None:
    heard = await run(engine, command("import sys; print('out'); print('err', file=sys.stderr)"))
    require((heard.stdout, heard.stderr) == (b"out\n", b"err\n"), (heard.stdout, heard.stderr))


async def a_silent_program_has_a_verdict(engine: Engine) -> None:
    heard = await run(engine, command("pass"))
    require((heard.stdout, heard.stderr) == (b"", b""), (heard.stdout, heard.stderr))
    require((heard.exited.exit_code, heard.exited.signal, heard.exited.reason) == (0, None, None), heard.exited)


async def output_keeps_its_order(engine: Engine) -> None:
    heard = await run(engine, command("for n in range(20000): print(n)"))
    require(heard.stdout.split() == [str(n).encode() for n in range(20000)], heard.stdout[:100])


async def exit_codes_are_reported(engine: Engine) -> None:
    for code in (0, 1, 3, 99):
        exited = (await run(engine, command(f"import sys; sys.exit({code})"))).exited
        require((exited.exit_code, exited.signal, exited.reason) == (code, None, None), exited)


async def an_exit_code_above_128_is_not_a_signal(engine: Engine) -> None:
    exited = (await run(engine, command("import os; os._exit(137)"))).exited
    require((exited.exit_code, exited.signal) == (137, None), exited)


async def an_uncaught_exception_is_exit_code_1_with_a_traceback(engine: Engine) -> None:
    heard = await run(engine, command("1 / 0"))
    require(heard.exited.exit_code == 1, heard.exited)
    require(heard.stderr.count(b"File ") == 1 and b"main.py" in heard.stderr, heard.stderr)
    require(heard.stderr.endswith(b"ZeroDivisionError: division by zero\n"), heard.stderr)


async def a_signal_is_reported_as_one(engine: Engine) -> None:
    for number in (15, 6, 11):
        code = f"import os, signal; signal.signal({number}, signal.SIG_DFL); os.kill(os.getpid(), {number})"
        exited = (await run(engine, command(code))).exited
        require((exited.exit_code, exited.signal, exited.reason) == (None, number, None), exited)


async def a_program_that_kills_itself_is_not_blamed_on_a_limit(engine: Engine) -> None:
    exited = (await run(engine, command("import os; os.kill(os.getpid(), 9)"))).exited
    require((exited.exit_code, exited.signal, exited.reason) == (None, 9, None), exited)
    require(not exited.usage.out_of_memory, exited.usage)


async def closing_its_output_does_not_end_a_program(engine: Engine) -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(0.3); os._exit(5)"
    require((await run(engine, command(code))).exited.exit_code == 5)


async def empty_stdin_is_at_its_end(engine: Engine) -> None:
    heard = await run(engine, command("import sys; print(repr(sys.stdin.read()))"))
    require(heard.stdout == b"''\n", heard.stdout)


async def a_mebibyte_of_stdin_arrives_whole(engine: Engine) -> None:
    data = secrets.token_bytes(MiB)
    code = "import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
    expected = await run(
        engine,
        command("import hashlib, sys; print(hashlib.sha256(open('in','rb').read()).hexdigest())", files={"in": data}),
    )
    require((await run(engine, command(code, stdin=data))).stdout == expected.stdout)


async def stdin_that_nobody_reads_is_no_error(engine: Engine) -> None:
    heard = await run(engine, command("print('done')", stdin=bytes(MiB)))
    require((heard.stdout, heard.exited.exit_code) == (b"done\n", 0), heard.exited)


async def environment_values_arrive_exactly(engine: Engine) -> None:
    values = {
        "EMPTY": "",
        "SPACES": " a  b ",
        "EQUALS": "a=b=c",
        "LINES": "a\nb",
        "LETTERS": "äöü €",
        "QUOTES": "\"'`$x",
    }
    code = f"import os; print([os.environ.get(name) for name in {sorted(values)!r}])"
    heard = await run(engine, command(code, environment=values))
    require(heard.stdout.decode().strip() == str([values[name] for name in sorted(values)]), heard.stdout)


async def the_environment_of_the_server_is_not_inherited(engine: Engine) -> None:
    with environment_variable("CONTRACT_CANARY", "server's own"):
        heard = await run(engine, command("import os; print(os.environ.get('CONTRACT_CANARY'))"))
    require(heard.stdout == b"None\n", heard.stdout)


async def arguments_arrive_exactly(engine: Engine) -> None:
    args = ("plain", "", "two words", "-x", "--", "'\"$HOME`", "äöü", "*", "line\nbreak")
    heard = await run(engine, command("import sys; print(sys.argv)", *args))
    require(heard.stdout.decode().strip() == str(["main.py", *args]), heard.stdout)


async def a_program_is_the_main_module(engine: Engine) -> None:
    code = "import os, sys; print(__name__, os.path.basename(__file__), os.path.samefile(sys.path[0], '.'))"
    require((await run(engine, command(code))).stdout == b"__main__ main.py True\n")


async def bytes_that_are_not_utf8_come_out_unchanged(engine: Engine) -> None:
    heard = await run(engine, command("import os; os.write(1, bytes(range(256))); os.write(2, b'\\xff\\x00')"))
    require((heard.stdout, heard.stderr) == (bytes(range(256)), b"\xff\x00"), heard.stdout)


async def five_mebibytes_of_output_come_out_whole(engine: Engine) -> None:
    code = "import sys\nfor n in range(80):\n    sys.stdout.write('o' * 65536)\n    sys.stderr.write('e' * 65536)"
    heard = await run(engine, command(code))
    require((heard.stdout, heard.stderr) == (b"o" * 5 * MiB, b"e" * 5 * MiB), (len(heard.stdout), len(heard.stderr)))


async def output_arrives_while_the_program_runs(engine: Engine) -> None:
    async with (
        sandbox(engine) as box,
        box.exec(command("import time; print('now', flush=True); time.sleep(60)")) as process,
    ):
        heard = b""
        async for event in process:
            if isinstance(event, Exited):
                require(event.reason == "killed", event)
                break
            heard += event.data
            if heard == b"now\n":
                await process.kill()
        require(heard == b"now\n", heard)


async def a_program_that_takes_too_long_is_ended_and_its_output_kept(engine: Engine) -> None:
    code = "import time; print('before', flush=True); time.sleep(60)"
    heard = await run(engine, command(code, wall_seconds=0.8))
    require((heard.stdout, heard.exited.reason) == (b"before\n", "wall"), heard)


async def a_program_that_spins_too_long_is_ended(engine: Engine) -> None:
    heard = await run(engine, command("while True: pass", wall_seconds=0.5))
    require(heard.exited.reason == "wall", heard.exited)


async def a_killed_program_says_so(engine: Engine) -> None:
    async with sandbox(engine) as box, box.exec(command("import time; time.sleep(60)")) as process:
        await process.kill()
        require((await listen(process)).exited.reason == "killed")


async def killing_a_program_that_has_ended_changes_nothing(engine: Engine) -> None:
    async with sandbox(engine) as box, box.exec(command("pass")) as process:
        heard = await listen(process)
        await process.kill()
        await process.kill()
    require((heard.exited.exit_code, heard.exited.reason) == (0, None), heard.exited)


async def processor_time_is_counted(engine: Engine) -> None:
    # So much work, of a second or less: the clock of a kernel in user space runs on while others have the host.
    code = "for _ in range(60_000): sum(range(1000))"
    usage = (await run(engine, command(code))).exited.usage
    counted = usage.cpu_user_seconds + usage.cpu_system_seconds
    require(counted >= 0.1, usage)
    require(usage.wall_seconds > 0 and not usage.out_of_memory, usage)


async def memory_is_counted(engine: Engine) -> None:
    usage = (await run(engine, command("kept = b'x' * (48 << 20)"))).exited.usage
    require((usage.memory_peak_bytes or 0) >= 48 << 20, usage)


async def bash_runs(engine: Engine) -> None:
    code = 'read line; echo "$line $1 $NAME"; echo oops >&2; exit 4'
    heard = await run(engine, command(code, "arg", language="bash", stdin=b"in\n", environment={"NAME": "env"}))
    require((heard.stdout, heard.stderr, heard.exited.exit_code) == (b"in arg env\n", b"oops\n", 4), heard)


async def two_commands_run_one_after_the_other(engine: Engine) -> None:
    async with sandbox(engine) as box:
        first = await run_in(box, command("open('kept', 'w').write('x'); print(1)"))
        second = await run_in(box, command("print(open('kept').read())"))
    require((first.stdout, second.stdout) == (b"1\n", b"x\n"), (first.stdout, second.stdout, second.stderr))


PROMISES: tuple[Check, ...] = (
    a_program_speaks_on_both_streams,
    a_silent_program_has_a_verdict,
    output_keeps_its_order,
    exit_codes_are_reported,
    an_exit_code_above_128_is_not_a_signal,
    an_uncaught_exception_is_exit_code_1_with_a_traceback,
    a_signal_is_reported_as_one,
    a_program_that_kills_itself_is_not_blamed_on_a_limit,
    closing_its_output_does_not_end_a_program,
    empty_stdin_is_at_its_end,
    a_mebibyte_of_stdin_arrives_whole,
    stdin_that_nobody_reads_is_no_error,
    environment_values_arrive_exactly,
    the_environment_of_the_server_is_not_inherited,
    arguments_arrive_exactly,
    a_program_is_the_main_module,
    bytes_that_are_not_utf8_come_out_unchanged,
    five_mebibytes_of_output_come_out_whole,
    output_arrives_while_the_program_runs,
    a_program_that_takes_too_long_is_ended_and_its_output_kept,
    a_program_that_spins_too_long_is_ended,
    a_killed_program_says_so,
    killing_a_program_that_has_ended_changes_nothing,
    processor_time_is_counted,
    memory_is_counted,
    bash_runs,
    two_commands_run_one_after_the_other,
)
