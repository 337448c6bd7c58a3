// `protect`: a value on stdin, the protected value on stdout. The key of the stage is in PROTECT_KEY.
import { readFileSync } from 'node:fs';
import { isProtected, protect } from './protection.js';

const value = readFileSync(0, 'utf8').replace(/\r?\n$/, '');
if (value === '' || isProtected(value)) {
  console.error(value === '' ? 'nothing to protect' : 'this is protected already');
  process.exit(65);
}
try {
  process.stdout.write(`${protect(value, process.env.PROTECT_KEY)}\n`);
} catch (error) {
  console.error(error.message);
  process.exit(64);
}
