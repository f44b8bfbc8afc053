'use strict';

// Files that others may put something else in the place of: opened without waiting, asked what they are once they are open, never followed
// into a folder of somebody else's.

const fs = require('node:fs');
const path = require('node:path');

/** Windows has none of them. */
const { O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY, O_WRONLY } = fs.constants;

/** A regular file, open for reading; nothing for anything else. A pipe that nobody writes to would hold up a thread of Node's for ever. */
async function openRegular(file, { follow = true } = {}) {
  const handle = await fs.promises.open(file, O_RDONLY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW)).catch(() => undefined);
  if (!handle) return undefined;
  const stat = await handle.stat().catch(() => undefined);
  if (stat?.isFile()) return handle;
  await handle.close();
  return undefined;
}

/** The text of a regular file of at most `most` bytes, that is no link; nothing for anything else. */
async function readOwn(file, most) {
  const handle = await openRegular(file, { follow: false });
  try {
    if (!handle) return undefined;
    const { size } = await handle.stat();
    if (size > most) return undefined;
    // As long as it was: one that somebody goes on writing to has no end.
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size), 0, size, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle?.close();
  }
}

/**
 * Opens `file` to append to, and makes it (0600) where it is missing, with the folders above it (0700). In a folder that others may write to
 * it has to be a regular file of our own, by this name alone; elsewhere it may be what its owner has made of it, /dev/stdout as well.
 */
async function openToAppend(file) {
  const folder = path.dirname(file);
  await makeFolder(folder);
  const isOurs = isPrivate(await fs.promises.stat(folder));
  const handle = await fs.promises.open(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | (isOurs ? 0 : O_NOFOLLOW), 0o600);
  try {
    const stat = await handle.stat();
    if (!isOurs && !isOurOwn(stat)) throw Object.assign(new Error(`${file}: expected a file of this user's`), { code: 'EPERM' });
    if (stat.isFile() && stat.size === 0) await giveRights(handle, stat);
    return { handle, size: stat.isFile() ? stat.size : 0 };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Makes an empty file (0600) that must not be there yet. */
async function makeEmpty(file) {
  const handle = await fs.promises.open(file, 'wx', 0o600);
  try {
    await giveRights(handle, await handle.stat());
  } finally {
    await handle.close();
  }
}

/** Gives the owner of a new file what an unusual umask has taken; nobody else anything. */
async function giveRights(handle, { mode }) {
  if (process.getuid && (mode & 0o600) !== 0o600) await handle.chmod(0o600);
}

/** Makes a folder and those above it that are missing, for their owner alone (0700), whatever the umask. */
async function makeFolder(folder) {
  try {
    await fs.promises.mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (error.code === 'ENOENT' && path.dirname(folder) !== folder) {
      await makeFolder(path.dirname(folder));
      return makeFolder(folder);
    }
    // There already, or not for us to make: whoever opens a file in it is told.
    return undefined;
  }
  const { mode } = await fs.promises.lstat(folder);
  if (process.getuid && (mode & 0o700) !== 0o700) await fs.promises.chmod(folder, 0o700);
  return undefined;
}

/** Whether nobody but this user and root may put anything into the folder. */
function isPrivate({ uid, mode }) {
  if (!process.geteuid) return true;
  return (uid === 0 || uid === process.geteuid()) && (mode & 0o022) === 0;
}

/** Whether it is a file that nobody has put there to be written to: regular, ours, and under no other name. */
function isOurOwn(stat) {
  return stat.isFile() && stat.nlink === 1 && stat.uid === process.geteuid();
}

module.exports = { makeEmpty, openRegular, openToAppend, readOwn };
