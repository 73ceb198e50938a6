// What a program says about its result, apart from what it prints: comes back as `metadata`, up to 64 KB of JSON.
'use strict';
const fs = require('fs');

const FOLDER = '/workspace/.holdfast';
const FILE = `${FOLDER}/metadata.json`;

function setMetadata(data) {
  fs.mkdirSync(FOLDER, { recursive: true });
  fs.writeFileSync(FILE, JSON.stringify(data));
}

function getMetadata() {
  return fs.existsSync(FILE) ? JSON.parse(fs.readFileSync(FILE, 'utf8')) : null;
}

exports.setMetadata = setMetadata;
exports.getMetadata = getMetadata;
exports.set_metadata = setMetadata;
exports.get_metadata = getMetadata;
