#!/usr/bin/env node
/**
 * The way in: refuses a Node.js that is too old in one sentence, and loads everything else only then. Whatever Node.js there is reads this
 * file first, so it has no static import or export, and no syntax newer than ES2018.
 */
{
  /** As `engines` in package.json says it. */
  const needed = {major: 20, minor: 12}
  const version = process.version.replace('v', '')
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < needed.major || (major === needed.major && minor < needed.minor)) {
    process.stderr.write(
      `miio2mqtt needs Node.js ${needed.major}.${needed.minor} or newer; this is ${version}. How to get it: https://nodejs.org/en/download, or docs/install.md of this package.\n`,
    )
    process.exitCode = 1 // EXIT.failed of src/cli/errors.ts
  } else import('./cli/program.ts').then(({runProgram}) => runProgram())
}
