/** The processor's time that `work` took, in microseconds: unlike the clock's, it does not grow with what else the machine does. */
export async function costOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
