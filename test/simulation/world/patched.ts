/** Puts another method in the place of one, until the returned function is called. */
export function patched<T extends object, K extends keyof T>(prototype: T, name: K, make: (original: T[K]) => T[K]): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name)!
  Object.defineProperty(prototype, name, { ...original, value: make(original.value as T[K]) })
  return () => void Object.defineProperty(prototype, name, original)
}
