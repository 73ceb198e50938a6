"""The essentials in every language: a way out that Python has not got might be open to another runtime."""

from collections.abc import Mapping
from dataclasses import replace

from holdfast.languages import LANGUAGES
from holdfast.testing.attacks.arena import Arena
from holdfast.testing.attacks.model import Aim, Attack, Outcome, Ran, Truth, contained, judge, not_applicable
from holdfast.testing.languages import LanguageMissingError, command_of

LIMITS = {"memory_bytes": 128 << 20, "processes": 32}

JAVASCRIPT = """
import fs from 'node:fs';
import net from 'node:net';
import { spawn } from 'node:child_process';
import process from 'node:process';
const { DEED, TARGET } = process.env;
const refused = (error) => console.log('REFUSED ' + (error.code ?? error));
const deeds = {
  reads() { console.log(fs.readFileSync(TARGET, 'utf8')); },
  writes() { fs.writeFileSync(TARGET, 'x'); },
  connects: () => new Promise((done) => {
    const socket = net.connect(Number(TARGET), '127.0.0.1');
    socket.on('data', (data) => { console.log(String(data)); socket.destroy(); done(); });
    socket.on('error', (error) => { refused(error); done(); });
  }),
  hoards() {
    const kept = [];
    for (let count = 0; count < 24; count++) kept.push(Buffer.alloc(8 << 20, 1));
    console.log('ESCAPED ' + kept.length);
  },
  multiplies: () => new Promise((done) => {
    let failed = null;
    const start = () => spawn('sleep', ['2']).on('error', (error) => { failed = error; });
    for (let count = 0; count < 48 && !failed; count++) start();
    setTimeout(() => { failed ? refused(failed) : console.log('ESCAPED 48 processes'); done(); }, 500);
  }),
};
console.log('TRYING');
try { await deeds[DEED](); } catch (error) { refused(error); }
process.exit(0);
"""

GO = """package main

import ("fmt"; "net"; "os"; "os/exec")

func main() {
    fmt.Println("TRYING")
    target := os.Getenv("TARGET")
    var err error
    switch os.Getenv("DEED") {
    case "reads":
        var text []byte
        if text, err = os.ReadFile(target); err == nil { fmt.Println(string(text)) }
    case "writes":
        err = os.WriteFile(target, []byte("x"), 0o644)
    case "connects":
        var connection net.Conn
        if connection, err = net.Dial("tcp", "127.0.0.1:" + target); err == nil {
            text := make([]byte, 200)
            size, _ := connection.Read(text)
            fmt.Println(string(text[:size]))
        }
    case "hoards":
        kept := make([]byte, 192 << 20)
        for place := 0; place < len(kept); place += 4096 { kept[place] = 1 }
        fmt.Println("ESCAPED", len(kept))
    case "multiplies":
        count := 0
        for ; count < 48 && err == nil; count++ { err = exec.Command("sleep", "2").Start() }
        if err == nil { fmt.Println("ESCAPED", count, "processes") }
    }
    if err != nil { fmt.Println("REFUSED", err) }
}
"""

RUST = """
use std::{env, fs, io::{Error, Read}, net::TcpStream, process::Command};

fn deed(name: &str, target: &str) -> Result<String, Error> {
    Ok(match name {
        "reads" => fs::read_to_string(target)?,
        "writes" => fs::write(target, "x").map(|_| String::new())?,
        "connects" => {
            let mut text = [0; 200];
            let size = TcpStream::connect(format!("127.0.0.1:{}", target))?.read(&mut text)?;
            String::from_utf8_lossy(&text[..size]).into_owned()
        }
        "hoards" => format!("ESCAPED {}", vec![1u8; 192 << 20].iter().map(|byte| *byte as u64).sum::<u64>()),
        _ => {
            for _ in 0..48 { Command::new("sleep").arg("2").spawn()?; }
            "ESCAPED 48 processes".to_string()
        }
    })
}

fn main() {
    println!("TRYING");
    match deed(&env::var("DEED").unwrap(), &env::var("TARGET").unwrap()) {
        Ok(text) => println!("{}", text),
        Err(error) => println!("REFUSED {}", error),
    }
}
"""

BASH = """
echo TRYING
case $DEED in
  reads) cat "$TARGET" || echo REFUSED cat ;;
  writes) (echo x > "$TARGET") || echo REFUSED write ;;
  connects) (exec 3<> "/dev/tcp/127.0.0.1/$TARGET" && head -c 42 <&3) || echo REFUSED connect ;;
  hoards) kept=$(head -c 200000000 /dev/zero | tr '\\0' x); echo "ESCAPED ${#kept}" ;;
esac
"""

SQL: Mapping[str, str] = {
    # Of a file that it does not find DuckDB says nothing.
    "reads": "SELECT coalesce(max(content), 'REFUSED no such file') AS said FROM read_text('TARGET')",
    "writes": "COPY (SELECT 1) TO 'TARGET'",
    "hoards": "SELECT 'ESCAPED ' || len(list(repeat('x', 1048576) || range)) AS said FROM range(192)",
}
"""DuckDB connects to nothing without an extension, which no run can load, and takes the threads it can get."""

NO_SQL = (b"Parser Error", b"Binder Error", b"Catalog Error")

PROGRAMS = {"node": JAVASCRIPT, "deno": JAVASCRIPT, "bun": JAVASCRIPT, "go": GO, "rust": RUST, "bash": BASH}

DEEDS: Mapping[str, tuple[Aim, str, str]] = {
    "reads": (Aim.ESCAPE, "reads_a_private_file_of_the_operator", "private"),
    "writes": (Aim.ESCAPE, "writes_into_a_directory_of_the_host", "marker"),
    "connects": (Aim.NETWORK, "connects_to_a_service_of_the_host", "port"),
    "hoards": (Aim.EXHAUST, "takes_more_memory_than_it_was_given", ""),
    "multiplies": (Aim.EXHAUST, "starts_more_processes_than_it_was_given", ""),
}
NO_MORE_THREADS = (b"unable to create worker threads", b"oh no: Bun has crashed", b"abort() called")
"""With these words Deno and Bun end at the limit, sometimes before the program is told."""

UNFIT = {("bash", "multiplies")}
"""Bash waits and tries again, longer than any run may take."""


def _targets(arena: Arena) -> Mapping[str, str]:
    port = str(arena.tcp.port if arena.tcp else 0)
    return {"private": str(arena.private), "marker": str(arena.marker_dir / "mark"), "port": port, "": ""}


def _marked(arena: Arena, ran: Ran) -> str | None:
    return "a file of the program is on the host" if (arena.marker_dir / "mark").exists() else None


def _reached(arena: Arena, ran: Ran) -> str | None:
    return "the tcp listener of the host was reached" if arena.tcp and arena.tcp.received else None


TRUTHS: Mapping[str, Truth] = {"writes": _marked, "connects": _reached}


def _attack(language: str, deed: str) -> Attack:
    aim, name, target = DEEDS[deed]

    async def attempt(arena: Arena) -> Outcome:
        try:
            command = await command_of(arena.engine, language, PROGRAMS[language])
        except LanguageMissingError as error:
            return not_applicable(str(error))
        given = {"DEED": deed, "TARGET": _targets(arena)[target]}
        async with arena.sandbox(LIMITS, language=language) as cage:
            ran = await cage.run_command(replace(command, environment={**command.environment, **given}))
        if deed == "multiplies" and any(words in ran.stderr for words in NO_MORE_THREADS):
            return contained("the runtime itself ended, because it could start no thread more", "EAGAIN")
        return judge(arena, ran, TRUTHS.get(deed))

    return Attack(f"{name}_in_{language}", aim, attempt)


def _attack_in_sql(deed: str) -> Attack:
    aim, name, target = DEEDS[deed]

    async def attempt(arena: Arena) -> Outcome:
        statement = SQL[deed].replace("TARGET", _targets(arena)[target])
        try:
            command = await command_of(arena.engine, "sql", statement)
        except LanguageMissingError as error:
            return not_applicable(str(error))
        async with arena.sandbox(LIMITS, language="sql") as cage:
            ran = await cage.run_command(command)
        return judge(arena, _as_a_program_says_it(ran), TRUTHS.get(deed))

    return Attack(f"{name}_in_sql", aim, attempt)


def _as_a_program_says_it(ran: Ran) -> Ran:
    """An error of DuckDB is a refusal, unless it is about the statement itself."""
    refused = ran.exited.exit_code == 1 and not any(words in ran.stderr for words in NO_SQL)
    said = b"REFUSED " + b" ".join(ran.stderr.split()) if refused else b""
    return replace(ran, stdout=b"TRYING\n" + ran.stdout + b"\n" + said)


ATTACKS = (
    *(
        _attack(language, deed)
        for language in LANGUAGES
        if language in PROGRAMS
        for deed in DEEDS
        if (language, deed) not in UNFIT
    ),
    *map(_attack_in_sql, SQL),
)
