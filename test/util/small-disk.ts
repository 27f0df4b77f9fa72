import { spawnSync } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from './suite.ts'
import { temporaryFolder } from './folder.ts'

const run = (program: string, ...words: string[]): boolean => spawnSync(program, words, { stdio: 'ignore' }).status === 0

/**
 * A file system of its own that is soon full: ext4 in a file where the machine allows, else tmpfs.
 * @returns undefined, having said so, where neither can be had
 */
export function smallDisk({ defer }: TestContext, sizeMiB: number): string | undefined {
  const folder = temporaryFolder({ defer })
  const [image, mounted] = [join(folder, 'image'), join(folder, 'mounted')]
  run('mkdir', mounted)
  writeFileSync(image, '')
  truncateSync(image, sizeMiB * 2 ** 20)
  const isMounted =
    (run('mkfs.ext4', '-q', '-m', '0', image) && run('mount', '-o', 'loop', image, mounted)) ||
    run('mount', '-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', mounted)
  if (isMounted) {
    defer(() => run('umount', '-l', mounted))
    return mounted
  }
  if (process.env['CI'] === 'true') throw new Error('no small file system can be mounted here, and CI needs one')
  process.stdout.write('SKIPPED: a full disk: no small file system can be mounted here; run it as root\n')
  return undefined
}
