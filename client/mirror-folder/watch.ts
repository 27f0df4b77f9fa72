import { watch, type FSWatcher } from 'node:fs'
import { OWN_FOLDER } from './names.ts'

/**
 * Tells when something in a folder may have changed. It may miss some: rescans make up for that. On Linux every folder is watched by itself, because
 * the recursive watch of Node 20 opens one for every file there; elsewhere the system does it.
 */
export class FolderWatch {
  readonly #onChange: () => void
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #isRecursive = process.platform === 'darwin' || process.platform === 'win32'
  #isClosed = false

  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Watches these folders and no others; the first is the root. @returns true when it was blind to some until now */
  follow(folders: readonly string[]): boolean {
    if (this.#isClosed) return false
    const wanted = new Set(this.#isRecursive ? folders.slice(0, 1) : folders)
    for (const folder of this.#watchers.keys()) if (!wanted.has(folder)) this.#drop(folder)
    let isNew = false
    for (const folder of wanted) if (!this.#watchers.has(folder)) isNew = this.#watch(folder) || isNew
    return isNew
  }

  close(): void {
    this.#isClosed = true
    for (const folder of this.#watchers.keys()) this.#drop(folder)
  }

  #watch(folder: string): boolean {
    try {
      const watcher = watch(folder, { recursive: this.#isRecursive }, (_, name) => {
        if (name?.split(/[/\\]/)[0] !== OWN_FOLDER) this.#onChange()
      })
      watcher.on('error', () => this.#drop(folder))
      this.#watchers.set(folder, watcher)
      return true
    } catch {
      // Gone already, or the system has no more watches to give.
      return false
    }
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)
  }
}
