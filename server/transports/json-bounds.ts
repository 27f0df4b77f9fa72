const [QUOTE, COMMA, BRACKET, BACKSLASH, BRACE] = [34, 44, 91, 92, 123]

/**
 * True when a JSON text has at most so many values, nested ones included. A parser makes each of them before anybody can look at it: a megabyte of brackets takes it
 * a thousand times as long as a megabyte of text. What is no JSON counts as it would if it were.
 */
export function hasAtMostValues(text: string, maxValues: number): boolean {
  // Each takes a character at least.
  if (text.length < maxValues) return true
  let isInString = false
  let values = 1
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit === QUOTE) isInString = !isInString
    else if (isInString) index += unit === BACKSLASH ? 1 : 0
    else if ((unit === COMMA || unit === BRACKET || unit === BRACE) && ++values > maxValues) return false
  }
  return true
}
