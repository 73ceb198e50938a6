// What a program says about its result, apart from what it prints: comes back as `metadata`, up to 64 KB of JSON.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const FOLDER = '/workspace/.holdfast';
const FILE = `${FOLDER}/metadata.json`;

export function setMetadata(data: unknown): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(FILE, JSON.stringify(data));
}

export function getMetadata(): unknown {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : null;
}

export { getMetadata as get_metadata, setMetadata as set_metadata };
