// Libraries look for the global object under this name. Without it they would compile code from text, which
// WeChat forbids.
if (typeof globalThis.self === 'undefined') Object.assign(globalThis, { self: globalThis })
