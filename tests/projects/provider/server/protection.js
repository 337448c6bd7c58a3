// Values under the key of a stage: `enc:v1:<base64url of nonce, tag and ciphertext>`, AES-256-GCM.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

const PREFIX = 'enc:v1:';
const NONCE = 12;
const TAG = 16;

export const isProtected = (value) => value.startsWith(PREFIX);

export function protect(value, secret) {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv('aes-256-gcm', keyOf(secret), nonce);
  const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
  return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64url');
}

export function unprotect(value, secret) {
  const bytes = Buffer.from(value.slice(PREFIX.length), 'base64url');
  if (bytes.length < NONCE + TAG) {
    throw new Error('a protected value that is cut short');
  }
  const decipher = createDecipheriv('aes-256-gcm', keyOf(secret), bytes.subarray(0, NONCE));
  decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]).toString('utf8');
  } catch {
    throw new Error('protected under another key');
  }
}

function keyOf(secret) {
  if (!secret) {
    throw new Error('protected values need PROTECT_KEY');
  }
  return createHash('sha256').update(secret).digest();
}
