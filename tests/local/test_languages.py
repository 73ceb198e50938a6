"""Every language, as a caller has it: requests through the executor, on the real engine."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from holdfast.errors import InvalidFileNameError
from holdfast.execution import Executor
from holdfast.languages import LANGUAGES
from holdfast.types import RunRequest, RunResult, Status
from tests.conftest import local_app, needs_language

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

HELLO = {
    "python": "print('hello')",
    "node": "console.log('hello')",
    "deno": "const word: string = 'hello'; console.log(word)",
    "bun": "const word: string = 'hello'; console.log(word)",
    "go": 'package main\nimport "fmt"\nfunc main() { fmt.Println("hello") }',
    "rust": 'fn main() { println!("hello"); }',
    "bash": "echo hello",
}
ECHO = {
    "python": "import os, sys\nprint(sys.stdin.read() + sys.argv[1] + os.environ['WORD']); sys.exit(7)",
    "node": "console.log(require('fs').readFileSync(0, 'utf8') + process.argv[2] + process.env.WORD); process.exit(7)",
    "deno": "console.log(await new Response(Deno.stdin.readable).text() + Deno.args[0] + Deno.env.get('WORD'));"
    " Deno.exit(7)",
    "bun": "console.log(await Bun.stdin.text() + Bun.argv[2] + process.env.WORD); process.exit(7)",
    "go": 'package main\nimport ("fmt"; "io"; "os")\nfunc main() { read, _ := io.ReadAll(os.Stdin)\n'
    'fmt.Println(string(read) + os.Args[1] + os.Getenv("WORD")); os.Exit(7) }',
    "rust": "use std::{env, io, process};\nfn main() { let read = io::read_to_string(io::stdin()).unwrap();\n"
    'println!("{}{}{}", read, env::args().nth(1).unwrap(), env::var("WORD").unwrap()); process::exit(7); }',
    "bash": 'echo "$(cat)$1$WORD"; exit 7',
}
SAYS = {
    "python": "from sdk import get_metadata, set_metadata\nset_metadata(['x', 1]); print(get_metadata() == ['x', 1])",
    "node": "const { setMetadata, getMetadata } = require('./sdk'); setMetadata(['x', 1]);"
    " console.log(getMetadata()[0] === 'x')",
    "deno": "import { setMetadata, getMetadata } from './sdk.ts'; setMetadata(['x', 1]);"
    " console.log((getMetadata() as any)[0] === 'x')",
    "bun": "import { set_metadata, get_metadata } from './sdk'; set_metadata(['x', 1]);"
    " console.log((get_metadata() as any)[0] === 'x')",
    "go": 'package main\nimport ("fmt"; "sdk")\nfunc main() { sdk.SetMetadata([]any{"x", 1}); var got []any\n'
    'sdk.GetMetadata(&got); fmt.Println(got[0] == "x") }',
    "rust": 'fn main() { sdk::set_metadata_raw("[\\"x\\", 1]").unwrap();\n'
    'println!("{}", sdk::get_metadata().unwrap().unwrap().starts_with("[\\"x\\"")); }',
}
OWN_SDK = {
    "python": ("sdk.py", "from sdk import word; print(word)", "word = 'mine'"),
    "node": ("sdk.js", "console.log(require('./sdk').word)", "exports.word = 'mine'"),
    "deno": ("sdk.ts", "import { word } from './sdk.ts'; console.log(word)", "export const word = 'mine'"),
    "bun": ("sdk.ts", "import { word } from './sdk'; console.log(word)", "export const word = 'mine'"),
    "go": (
        "sdk.go",
        'package main\nimport "fmt"\nfunc main() { fmt.Println(word) }',
        'package main\nconst word = "mine"',
    ),
    "rust": ("sdk.rs", 'mod sdk;\nuse sdk::WORD;\nfn main() { println!("{WORD}"); }', 'pub const WORD: &str = "mine";'),
}
TYPESCRIPT = "interface Word { text: string }\nconst word: Word = { text: 'typed' };\nconsole.log(word.text);"


@pytest.fixture(scope="module")
async def executor(anyio_backend: str) -> AsyncIterator[Executor]:
    async with local_app(pool_size=4) as app:
        yield app.executor


async def run(executor: Executor, language: str, **fields: Any) -> RunResult:
    needs_language(executor.runtimes, language)
    return await executor.run(RunRequest(image=language, **fields))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_language_is_ready_and_says_its_version(executor: Executor, language: str) -> None:
    needs_language(executor.runtimes, language)
    assert (executor.runtimes[language] or "")[0].isdigit()


@pytest.mark.parametrize("language", HELLO)
async def test_a_program_runs_with_the_default_limits(executor: Executor, language: str) -> None:
    result = await run(executor, language, code=HELLO[language])
    assert (result.status, result.stdout, result.stderr) == (Status.SUCCEEDED, "hello\n", "")


@pytest.mark.parametrize("language", ECHO)
async def test_stdin_arguments_environment_and_exit_code_go_through(executor: Executor, language: str) -> None:
    result = await run(executor, language, code=ECHO[language], stdin="a", args=["b"], environment={"WORD": "c"})
    assert (result.stdout, result.exit_code, result.phase) == ("abc\n", 7, "run"), result.stderr


@pytest.mark.parametrize("language", SAYS)
async def test_the_sdk_brings_metadata_back(executor: Executor, language: str) -> None:
    result = await run(executor, language, code=SAYS[language])
    assert (result.stdout.strip().lower(), result.metadata, result.notes) == ("true", ["x", 1], ()), result.stderr


@pytest.mark.parametrize("language", OWN_SDK)
async def test_an_sdk_that_is_sent_wins(executor: Executor, language: str) -> None:
    name, code, own = OWN_SDK[language]
    result = await run(executor, language, code=code, files={name: own})
    assert result.stdout == "mine\n", (result.stderr, result.compile)


@pytest.mark.parametrize("language", ["deno", "bun", "node"])
async def test_typescript_runs_as_a_file(executor: Executor, language: str) -> None:
    result = await run(executor, language, files={"main.ts": TYPESCRIPT})
    assert (result.stdout, result.stderr) == ("typed\n", "")


@pytest.mark.parametrize("language", ["deno", "bun", "node"])
async def test_typescript_is_imported_from_another_file(executor: Executor, language: str) -> None:
    files = {
        "word.ts": "export const word: string = 'typed';",
        "main.ts": "import { word } from './word.ts';console.log(word)",
    }
    assert (await run(executor, language, files=files)).stdout == "typed\n"


async def test_go_takes_a_module_with_packages(executor: Executor) -> None:
    main = 'package main\nimport ("fmt"; "example.com/shop/price")\nfunc main() { fmt.Println(price.Of(2)) }'
    files = {
        "go.mod": "module example.com/shop\n\ngo 1.21\n",
        "price/price.go": "package price\nfunc Of(n int) int { return n * 21 }",
    }
    result = await run(executor, "go", code=main, files=files)
    assert result.stdout == "42\n", result.stderr


async def test_go_takes_vendored_modules(executor: Executor) -> None:
    main = 'package main\nimport ("fmt"; "example.org/price")\nfunc main() { fmt.Println(price.Of(2)) }'
    files = {
        "go.mod": "module shop\n\ngo 1.21\n\nrequire example.org/price v1.0.0\n",
        "vendor/modules.txt": "# example.org/price v1.0.0\n## explicit\nexample.org/price\n",
        "vendor/example.org/price/price.go": "package price\nfunc Of(n int) int { return n * 21 }",
    }
    result = await run(executor, "go", code=main, files=files)
    assert result.stdout == "42\n", result.stderr


async def test_rust_takes_a_cargo_project_and_modules(executor: Executor) -> None:
    files = {
        "Cargo.toml": '[package]\nname = "shop"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/main.rs": 'mod price;\nfn main() { println!("{}", price::of(2)); }',
        "src/price.rs": "pub fn of(n: i32) -> i32 { n * 21 }",
    }
    assert (await run(executor, "rust", files=files)).stdout == "42\n"
    alone = {"price.rs": files["src/price.rs"]}
    assert (await run(executor, "rust", code=files["src/main.rs"], files=alone)).stdout == "42\n"
    inside = {"src/price.rs": files["src/price.rs"]}
    assert (await run(executor, "rust", code=files["src/main.rs"], files=inside)).stdout == "42\n"
    project = {"Cargo.toml": files["Cargo.toml"], **inside}
    assert (await run(executor, "rust", code=files["src/main.rs"], files=project)).stdout == "42\n"
    beside = {"Cargo.toml": files["Cargo.toml"], "main.rs": 'fn main() { println!("42") }'}
    assert (await run(executor, "rust", files=beside)).stdout == "42\n"


@pytest.mark.parametrize(
    ("language", "entrypoint"),
    [(name, row.default_entrypoint) for name, row in LANGUAGES.items() if name != "sql"],
    ids=[name for name in LANGUAGES if name != "sql"],
)
async def test_the_default_entrypoint_of_the_seed_works_as_a_custom_one(
    executor: Executor, language: str, entrypoint: str
) -> None:
    result = await run(executor, language, code=HELLO[language], entrypoint=entrypoint, mem_limit="1g", timeout=120)
    assert (result.stdout, result.compile) == ("hello\n", None), result.stderr


async def test_an_entrypoint_sees_the_code_and_the_files(executor: Executor) -> None:
    result = await run(
        executor, "bash", code="echo from code", files={"a.txt": "A"}, entrypoint="cat a.txt; sh main.sh $1", args=["x"]
    )
    assert result.stdout == "Afrom code\n"


@pytest.mark.parametrize("language", ["go", "rust", "deno", "bun", "node"])
async def test_programs_find_a_read_only_system_and_leave_nothing_but_scratch(
    executor: Executor, language: str
) -> None:
    touch = "touch /usr/x /opt/holdfast/x /opt/holdfast/languages/x 2>&1 | grep -c 'Read-only'"
    assert (await run(executor, language, entrypoint=touch)).stdout == "3\n"


CRASHES = {
    "node": "throw new Error('oops')",
    "deno": "throw new Error('oops')",
    "bun": "throw new Error('oops')",
    "go": 'package main\nfunc main() { panic("oops") }',
    "rust": 'fn main() { panic!("oops"); }',
}


@pytest.mark.parametrize("language", CRASHES)
async def test_a_crash_is_a_result_with_its_words(executor: Executor, language: str) -> None:
    result = await run(executor, language, code=CRASHES[language])
    assert result.status is Status.FAILED
    assert "oops" in result.stderr
    assert "main" in result.stderr


async def test_sql_prints_a_table_and_returns_it_as_metadata(executor: Executor) -> None:
    files = {"sales.csv": "city,amount\nUlm,3\nBonn,4.5\n"}
    result = await run(executor, "sql", code="SELECT city, amount FROM sales ORDER BY amount DESC", files=files)
    assert result.stdout == "city | amount\n-----+-------\nBonn |    4.5\nUlm  |    3.0\n(2 rows)\n", result.stderr
    rows = [["Bonn", 4.5], ["Ulm", 3.0]]
    assert result.metadata == {"columns": ["city", "amount"], "rows": rows, "row_count": 2, "total_rows": 2}


async def test_sql_counts_all_rows_and_shows_the_first(executor: Executor) -> None:
    result = await run(executor, "sql", code="SELECT range AS n FROM range(1000)")
    assert (result.metadata["row_count"], result.metadata["total_rows"]) == (200, 1000)
    assert result.stdout.endswith("\n199\n(1000 rows, 200 shown)\n")
    wide = await run(executor, "sql", code="SELECT repeat('x', 3000) FROM range(100)")
    assert wide.metadata["row_count"] < wide.metadata["total_rows"] == 100


async def test_sql_reads_every_kind_of_file_and_says_what_is_wrong(executor: Executor) -> None:
    files = {"a.json": '[{"x": 1}]', "b b.csv": "y\n2\n", "c.txt": "z"}
    code = 'SELECT x, y FROM a, "b b"'
    assert (await run(executor, "sql", code=code, files=files)).metadata["rows"] == [[1, 2]]
    wrong = await run(executor, "sql", code="SELECT nothing FROM a", files=files)
    assert (wrong.status, wrong.exit_code, wrong.metadata) == (Status.FAILED, 1, None)
    assert "nothing" in wrong.stderr
    assert (await run(executor, "sql", code="CREATE TABLE t (x INT)")).status is Status.SUCCEEDED


async def test_no_file_of_a_request_is_taken_for_a_module_of_sql(executor: Executor) -> None:
    files = {name: "raise SystemExit(9)" for name in ("duckdb.py", "json.py", "decimal.py")}
    assert (await run(executor, "sql", code="SELECT 1 AS x", files=files)).metadata["rows"] == [[1]]
    with pytest.raises(InvalidFileNameError, match=r"main\.py"):
        await run(executor, "sql", code="SELECT 1", files={"main.py": ""})


async def test_sql_cannot_load_extensions_or_leave_the_sandbox(executor: Executor) -> None:
    for code in ("INSTALL httpfs", "SELECT * FROM 'http://127.0.0.1/x.csv'", "COPY (SELECT 1) TO '/usr/x.csv'"):
        assert (await run(executor, "sql", code=code)).status is Status.FAILED


async def test_every_json_value_is_metadata_and_nothing_else_is(executor: Executor) -> None:
    for value in (None, True, 5, 5.5, "text", [1, [2]], {"a": {"b": None}}):
        code = f"from sdk import set_metadata\nset_metadata({value!r})"
        result = await run(executor, "python", code=code)
        assert (result.metadata, result.notes) == (value, ())
    raw = "import os; os.makedirs('.holdfast'); open('.holdfast/metadata.json', 'w').write({})"
    for text in ("'{broken'", "'NaN'", "'[' * 60000", "'\"\\\\ud800\"'", "'[' * 400 + ']' * 400"):
        result = await run(executor, "python", code=raw.format(text))
        assert (result.status, result.metadata, len(result.notes)) == (Status.SUCCEEDED, None, 1), text
    large = await run(executor, "python", code=raw.format("'[' + ' ' * 70000 + ']'"))
    assert (large.metadata, large.notes) == (None, ("The metadata was left out: it is larger than 64 KB; set less.",))


async def test_metadata_is_no_artifact(executor: Executor) -> None:
    code = "from sdk import set_metadata\nset_metadata(1); open('out.txt', 'w').write('x')"
    result = await run(executor, "python", code=code, artifacts=["**"])
    assert [artifact.path for artifact in result.artifacts] == ["main.py", "out.txt"]
    compiled = await run(executor, "go", code=HELLO["go"], artifacts=["**"])
    assert [artifact.path for artifact in compiled.artifacts] == ["main.go"]


async def test_a_link_in_place_of_the_metadata_is_not_followed(executor: Executor) -> None:
    code = "import os; os.makedirs('.holdfast'); os.symlink('/etc/passwd', '.holdfast/metadata.json')"
    result = await run(executor, "python", code=code)
    assert (result.status, result.metadata) == (Status.SUCCEEDED, None)
    assert len(result.notes) == 1


@pytest.mark.parametrize("language", ["node", "python", "bash"])
async def test_large_files_arrive_whole(executor: Executor, language: str) -> None:
    sizes = [(1 << 16) - 1, (1 << 16) + 1, 3 << 20]
    files = {f"{size}.txt": "x" * size for size in sizes}
    code = {
        "node": "for (const n of require('fs').readdirSync('.').sort()) console.log(require('fs').statSync(n).size)",
        "python": "import os\nfor name in sorted(os.listdir()): print(os.stat(name).st_size)",
        "bash": "stat -c %s *",
    }[language]
    result = await run(executor, language, code=code, files=files)
    assert sorted(map(int, result.stdout.split()))[1:] == sizes, result.stderr


async def test_a_megabyte_of_code_and_200_files_compile(executor: Executor) -> None:
    padding = "// " + "x" * (1_048_576 - len(HELLO["go"]) - 4) + "\n"
    files = {f"data/{n}.bin": {"base64": base64.b64encode(bytes(100)).decode()} for n in range(200)}
    code = HELLO["go"].replace("package main\n", "package main\n" + padding)
    assert len(code) == 1_048_576
    assert (await run(executor, "go", code=code, files=files)).stdout == "hello\n"
