// The settings: every YAML and JSON file of a folder, merged in the order of their names, with `${NAME}` and
// `${NAME:-default}` filled from the environment.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { isProtected, unprotect } from './protection.js';

// What is wrong with the settings, as a person can mend it.
export class SettingsError extends Error {}

const PLACEHOLDER = /\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

export function readSettings(folder, environment) {
  const missing = new Set();
  const settings = filesBelow(folder)
    .map((file) => fill(document(file), environment, missing))
    .reduce(merge, {});
  if (missing.size > 0) {
    throw new SettingsError(`no value for ${[...missing].sort().join(', ')}`);
  }
  return settings;
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function document(file) {
  try {
    return parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new SettingsError(`${file}: ${error.message}`);
  }
}

// Texts are filled after the file was parsed: a value can't change the structure round it.
function fill(node, environment, missing) {
  if (typeof node === 'string') {
    return node.replace(PLACEHOLDER, (_, name, fallback) => valueOf(name, environment) ?? fallback ?? (missing.add(name), ''));
  }
  if (Array.isArray(node)) {
    return node.map((item) => fill(item, environment, missing));
  }
  if (node !== null && typeof node === 'object') {
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, fill(value, environment, missing)]));
  }
  return node;
}

function valueOf(name, environment) {
  const value = environment[name];
  if (value === undefined || value === '' || !isProtected(value)) {
    return value === '' ? undefined : value;
  }
  try {
    return unprotect(value, environment.PROTECT_KEY);
  } catch (error) {
    throw new SettingsError(`${name}: ${error.message}`);
  }
}

// Lists grow, tables merge, the later file wins.
function merge(one, other) {
  if (Array.isArray(one) && Array.isArray(other)) {
    return [...one, ...other];
  }
  const isTable = (node) => node !== null && typeof node === 'object' && !Array.isArray(node);
  if (!isTable(one) || !isTable(other)) {
    return other;
  }
  const merged = { ...one };
  for (const [key, value] of Object.entries(other)) {
    merged[key] = key in merged ? merge(merged[key], value) : value;
  }
  return merged;
}
