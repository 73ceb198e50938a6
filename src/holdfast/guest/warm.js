// Preloaded into a node that was started before its program came: waits for the job, then lets `node main.js` go on.
// Pid 1 has placed the files by then and the standard streams are the program's own, so only words are left to set.
'use strict';
const fs = require('fs');
const { isMainThread } = require('worker_threads');

const JOB = 3;
const SPARE_READ = 4;
const SPARE_WRITE = 5;
const LIBRARY = 'HOLDFAST_CELL_LIBRARY';

function readExactly(size) {
  const buffer = Buffer.allocUnsafe(size);
  for (let at = 0; at < size; ) {
    const count = fs.readSync(JOB, buffer, at, size - at, null);
    if (count === 0) process.reallyExit(0);
    at += count;
  }
  return buffer;
}

function receiveJob() {
  const lengths = readExactly(8);
  const job = JSON.parse(readExactly(lengths.readUInt32BE(0)).toString());
  fs.closeSync(JOB);
  return job;
}

function becomeMain(job) {
  process.argv.push(...job.argv);
  process.execArgv.length = 0;
  Object.defineProperty(process, '_preload_modules', { value: [] });
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, job.environment);
  delete require.cache[__filename];
}

// What the first line of output needs, and what the start of a main file needs: loaded while nobody waits for it.
function rehearse() {
  for (const name of ['net', 'tty', 'stream', 'util', 'path', 'url', 'vm', 'module']) require(name);
  require('util').inspect({ list: [1, 'text'] });
  const spare = new (require('net').Socket)({ fd: SPARE_WRITE, readable: false, writable: true });
  const rehearsed = new console.Console(spare);
  rehearsed.log(1);
  rehearsed.error('%s', { list: ['text'] });
  spare.destroy();
  fs.closeSync(SPARE_READ);
}

function loadLibrary() {
  const library = { exports: {} };
  if (process.env[LIBRARY]) process.dlopen(library, process.env[LIBRARY]);
  return library.exports;
}

// When nothing is left to do, node says 'beforeExit' and then at once 'exit'; it tells of everything else in between.
// After that it takes itself apart, which no program can see, for one or two milliseconds.
function endQuickly(exitNow) {
  const inherited = process.emit;
  let isIdle = false;
  function emit(event) {
    const ends = isIdle && event === 'exit';
    isIdle = false;
    const heard = Reflect.apply(inherited, this, arguments);
    isIdle = event === 'beforeExit';
    if (ends) exitNow(Number(process.exitCode ?? 0));
    return heard;
  }
  Object.defineProperty(process, 'emit', { value: emit, configurable: true, writable: true, enumerable: false });
}

if (isMainThread) {
  const { exitNow, forgetLibraryPages } = loadLibrary();
  forgetLibraryPages?.();
  rehearse(); // after the line above: what it reads, the program will
  becomeMain(receiveJob());
  if (exitNow) endQuickly(exitNow);
}
