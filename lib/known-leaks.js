'use strict';

// Leaks that published packages are known to have: data/known-leaks.json, described in docs/known-leaks.md.

const satisfies = require('semver/functions/satisfies');
const { leaks } = require('../data/known-leaks.json');

/** Files of a path from which a package is looked for. */
const MOST_FILES = 8;

/**
 * Says of each culprit which known leak it is: `known`, an object or null. Their places have their packages already (`withPositions`).
 *
 * A fingerprint tells by itself. Else the version that is installed must leak, and the finding must go through what leaks: through the
 * package's own files by a name that the entry has, or through a field of a class that nobody else's classes have.
 */
async function withKnownLeaks(culprits, packages, entries = leaks) {
  for (const culprit of culprits) {
    culprit.known = null;
    for (const entry of entries) {
      const known = await match(culprit, entry, packages);
      if (known) {
        culprit.known = known;
        break;
      }
    }
  }
  return culprits;
}

async function match(culprit, entry, packages) {
  const places = placesOf(culprit);
  const isSame = culprit.fingerprint !== '' && Boolean(entry.fingerprints?.includes(culprit.fingerprint));
  const hasStep = Boolean(entry.steps) && culprit.retainerPath.some(({ edge, name }) => entry.steps.includes(`${edge} of ${name}`));
  const hasName = Boolean(entry.names) && namesOf(culprit).some((name) => entry.names.includes(name));
  // An entry that says nothing of the path is about what is written in the package itself.
  const isWrittenThere = !entry.steps && !entry.names && versionIn(nearest(culprit), entry.package) !== undefined;
  if (!(isSame || hasStep || hasName || isWrittenThere)) return null;
  const version = versionIn(places, entry.package)
    ?? (isSame || hasStep ? await installedVersion(places, entry.package, packages) : undefined);
  if (version === undefined) return isSame ? told(entry, null) : null;
  return satisfies(version, entry.versions) ? told(entry, version) : null;
}

function told({ package: name, fixedIn, reference }, version) {
  return { package: name, version, fixedIn, reference };
}

/** Where the leak itself is: what leaks, and what holds it. */
function nearest({ location, holder }) {
  return [location, holder?.location].filter(Boolean);
}

function placesOf(culprit) {
  return [...nearest(culprit), ...culprit.retainerPath.map((step) => step.location)].filter(Boolean);
}

function namesOf({ constructorName, holder, retainerPath }) {
  const plain = (name) => name.replace(/^\(closure\) /, '');
  return [plain(constructorName), ...(holder?.name ? [holder.name] : []), ...retainerPath.flatMap(({ edge, name }) => [edge, plain(name)])];
}

/** The version of package `name` that one of the places is in. */
function versionIn(places, name) {
  const place = places.find((at) => at.package?.startsWith(`${name}@`));
  return place?.package.slice(name.length + 1);
}

/** The version that the files of the path get when they require the package. */
async function installedVersion(places, name, packages) {
  const files = new Set(places.map((place) => place.generated?.file ?? place.file));
  for (const file of [...files].slice(0, MOST_FILES)) {
    const found = await packages.installed(name, file);
    if (found) return found.version;
  }
  return undefined;
}

module.exports = { withKnownLeaks };
