/** What a column of JSON holds. One that was damaged does not keep a page or a download from the rest: `instead` of it. */
export function readJson<Value>(text: string, instead: Value): Value {
  try {
    return JSON.parse(text) as Value
  } catch {
    return instead
  }
}
