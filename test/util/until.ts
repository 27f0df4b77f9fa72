const TURNS = 100
const LOOK_AGAIN_MS = 2

/** Waits for what must come: looks turn by turn, and after a while only now and then, because a process under test needs the processor. The limit is the suite's. */
export async function until(check: () => boolean): Promise<void> {
  for (let turn = 0; !check(); turn++)
    await new Promise<void>(resolve => void (turn < TURNS ? setImmediate(resolve) : setTimeout(resolve, LOOK_AGAIN_MS)))
}
