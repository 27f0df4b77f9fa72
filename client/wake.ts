/** The two events of a browser that say "now may be a better time". Described here because Node compiles this file too. */
interface Page {
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
  document?: { visibilityState: string } & Required<Pick<Page, 'addEventListener' | 'removeEventListener'>>
}

/** Calls `task` when the network comes back or the page is looked at again. Does nothing outside of a browser. */
export function onWake(task: () => void): () => void {
  const page = globalThis as unknown as Page
  const { document } = page
  if (document === undefined) return () => {}
  const seen = (): void => {
    if (document.visibilityState === 'visible') task()
  }
  page.addEventListener?.('online', task)
  document.addEventListener('visibilitychange', seen)
  return () => {
    page.removeEventListener?.('online', task)
    document.removeEventListener('visibilitychange', seen)
  }
}
