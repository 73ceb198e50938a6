// Makes src/holdfast/web/vendor and tests/e2e/vendor of the pinned packages: `make vendor`. Users never run this.
import { build } from "esbuild";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const modules = join(here, "node_modules");
const page = join(root, "src/holdfast/web/vendor");
const tests = join(root, "tests/e2e/vendor");
const FONTS = {
  "@fontsource-variable/inter": "inter-latin-wght-normal.woff2",
  "@fontsource-variable/jetbrains-mono": "jetbrains-mono-latin-wght-normal.woff2",
};

await rm(page, { recursive: true, force: true });
await mkdir(page, { recursive: true });
await mkdir(tests, { recursive: true });

const used = new Set();
for (const name of ["codemirror", "charts"]) {
  const { metafile } = await build({
    entryPoints: [join(here, `${name}.js`)],
    outfile: join(page, `${name}.js`),
    absWorkingDir: here,
    bundle: true,
    format: "esm",
    legalComments: "none",
    metafile: true,
    minify: true,
    target: "es2022",
  });
  for (const input of Object.keys(metafile.inputs)) {
    const owner = input.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1];
    if (owner) used.add(owner);
  }
}
for (const [owner, font] of Object.entries(FONTS)) {
  await copyFile(join(modules, owner, "files", font), join(page, font));
  used.add(owner);
}
await copyFile(join(modules, "axe-core/axe.min.js"), join(tests, "axe.min.js"));
await copyFile(join(modules, "axe-core/LICENSE"), join(tests, "LICENSE"));

const packages = await Promise.all([...used].sort().map(describe));
await writeFile(join(page, "README.md"), readme(packages));
await writeFile(join(page, "LICENSES.txt"), packages.map(licence).join("\n"));

async function describe(name) {
  const { version, license } = JSON.parse(await readFile(join(modules, name, "package.json"), "utf8"));
  const file = (await readdir(join(modules, name))).find((each) => /^licen[sc]e/i.test(each));
  const text = file ? await readFile(join(modules, name, file), "utf8") : `Licensed as ${license}.\n`;
  return { name, version, license, text };
}

function licence({ name, version, text }) {
  return `${"=".repeat(80)}\n${name} ${version}\n${"=".repeat(80)}\n\n${text.trim()}\n`;
}

function readme(list) {
  const rows = list.map(({ name, version, license }) => `| ${name} | ${version} | ${license} |`);
  return [
    "# What the page is given of others",
    "",
    "Made by `make vendor` from the packages that `scripts/vendor/package-lock.json` pins; never edited by hand.",
    "`codemirror.js` and `charts.js` are ES modules, loaded when an editor or a chart is shown. `LICENSES.txt` has the licences.",
    "",
    "| Package | Version | Licence |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}
