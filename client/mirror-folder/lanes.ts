/**
 * Works off items, so many at a time. Resolves when all are done.
 * @throws what the first of them throws that does; those under way are waited for, and no more are begun
 */
export async function inLanes<T>(items: readonly T[], laneCount: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const failures: unknown[] = []
  const lane = async (): Promise<void> => {
    while (next < items.length && failures.length === 0)
      try {
        await work(items[next++]!)
      } catch (error) {
        failures.push(error)
      }
  }
  await Promise.all(Array.from({ length: laneCount }, lane))
  if (failures.length > 0) throw failures[0]
}
