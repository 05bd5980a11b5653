// node report.mjs ERA REQUIREMENTS.yaml EXPECTED.txt RESULTS: what the suite found, and whether that was expected.
//
// The suite's own exit code lets a failing scenario that it does not score pass; here only the checked-in list may.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [era, requirements, expectations, results] = process.argv.slice(2);
const bad = ({ status }) => status === 'FAILURE' || status === 'WARNING';

/** The scenarios that decide conformance: the list under `server:`. */
function scored() {
  const names = new Set();
  let inside = false;
  for (const line of readFileSync(requirements, 'utf8').split('\n')) {
    if (/^\S/.test(line) && !line.startsWith('#')) inside = line.startsWith('server:');
    const name = /^\s+- ([\w-]+)/.exec(line);
    if (inside && name) names.add(name[1]);
  }
  return names;
}

/** Scenario to the reason why it may fail. */
function expected() {
  const lines = readFileSync(expectations, 'utf8').split('\n').map((line) => line.match(/^(\d\S*)\s+(\S+)\s+(.+)$/));
  return new Map(lines.filter((line) => line?.[1] === era).map((line) => [line[2], line[3]]));
}

/** Scenario to its checks. Folders are named `server-SCENARIO-TIMESTAMP`. */
function ran() {
  const folders = readdirSync(results).filter((folder) => folder.startsWith('server-'));
  return new Map(
    folders.map((folder) => [
      folder.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT.*$/, ''),
      JSON.parse(readFileSync(join(results, folder, 'checks.json'), 'utf8')),
    ]),
  );
}

const must = scored();
const may = expected();
const scenarios = ran();
const problems = [...must].filter((name) => !scenarios.has(name)).map((name) => `${name}: did not run`);
const sums = { scored: { scenarios: 0, passed: 0, failed: 0 }, 'not scored': { scenarios: 0, passed: 0, failed: 0 } };
const left = [];

for (const [name, checks] of scenarios) {
  const failures = checks.filter(bad);
  const sum = sums[must.has(name) ? 'scored' : 'not scored'];
  sum.scenarios += 1;
  sum.passed += checks.filter(({ status }) => status === 'SUCCESS').length;
  sum.failed += failures.length;
  if (must.has(name) && checks.every(({ status }) => status !== 'SUCCESS')) problems.push(`${name}: nothing passed`);
  if (may.has(name)) {
    if (failures.length > 0) left.push(`${name} (${may.get(name)})`);
    else problems.push(`${name}: passes, so it must leave ${expectations}`);
  } else {
    problems.push(...failures.map(({ id, status, errorMessage }) => `${name}: ${id}: ${status}: ${errorMessage ?? ''}`));
  }
}

for (const [kind, { scenarios, passed, failed }] of Object.entries(sums)) {
  console.log(`${era} ${kind}: ${scenarios} scenarios, ${passed} checks passed, ${failed} failed`);
}
if (left.length > 0) console.log(`${era} expected to fail: ${left.join(', ')}`);
for (const problem of problems) console.log(`${era} UNEXPECTED ${problem}`);
process.exitCode = problems.length > 0 ? 1 : 0;
