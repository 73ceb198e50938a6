"""Promises about every language: what goes in, what comes out, how it ends."""

from dataclasses import replace

from holdfast.engines import Engine
from holdfast.testing.contract.case import WALL_SECONDS, Check, require, run
from holdfast.testing.languages import command_of

JAVASCRIPT = """
import fs from 'node:fs';
import process from 'node:process';
console.log(fs.readFileSync(0, 'utf8') + process.argv[2] + process.env.WORD);
console.error('oops');
process.exitCode = 7;
"""
PROGRAMS = {
    "python": """
import os, sys
print(sys.stdin.read() + sys.argv[1] + os.environ["WORD"])
print("oops", file=sys.stderr)
sys.exit(7)
""",
    "node": JAVASCRIPT,
    "deno": JAVASCRIPT,
    "bun": JAVASCRIPT,
    "go": """package main

import ("fmt"; "io"; "os")

func main() {
    read, _ := io.ReadAll(os.Stdin)
    fmt.Println(string(read) + os.Args[1] + os.Getenv("WORD"))
    fmt.Fprintln(os.Stderr, "oops")
    os.Exit(7)
}
""",
    "rust": """
use std::{env, io::{stdin, Read}, process};

fn main() {
    let mut read = String::new();
    stdin().read_to_string(&mut read).unwrap();
    println!("{}{}{}", read, env::args().nth(1).unwrap(), env::var("WORD").unwrap());
    eprintln!("oops");
    process::exit(7);
}
""",
    "bash": 'echo "$(cat)$1$WORD"; echo oops >&2; exit 7',
}
SPINNING = {
    "python": "while True: pass",
    "node": "while (true);",
    "deno": "while (true);",
    "bun": "while (true);",
    "go": "package main\nfunc main() { for {} }",
    "rust": "fn main() { loop { std::hint::spin_loop() } }",
    "bash": "while :; do :; done",
}


def _speaks(language: str) -> Check:
    async def check(engine: Engine, /) -> None:
        command = await command_of(engine, language, PROGRAMS[language], "b")
        given = {**command.environment, "WORD": "c"}
        what = replace(command, environment=given, stdin=b"a", wall_seconds=WALL_SECONDS)
        heard = await run(engine, what, language)
        require((heard.stdout, heard.stderr, heard.exited.exit_code) == (b"abc\n", b"oops\n", 7), heard)

    check.__name__ = f"a_program_in_{language}_hears_speaks_and_ends"
    return check


def _is_ended(language: str) -> Check:
    async def check(engine: Engine, /) -> None:
        command = await command_of(engine, language, SPINNING[language])
        heard = await run(engine, replace(command, wall_seconds=1.0), language)
        require(heard.exited.reason == "wall", heard.exited)

    check.__name__ = f"a_program_in_{language}_that_spins_is_ended"
    return check


PROMISES: tuple[Check, ...] = tuple(make(language) for make in (_speaks, _is_ended) for language in PROGRAMS)
