// What a page of your own does with the element: hear of the tokens, and send the access token to your own
// backend.
document.querySelector('saoma-login').addEventListener('saoma-login', (event) => {
  const [, payload] = event.detail.tokens.id_token.split('.')
  const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (char) => char.charCodeAt(0))
  const { name, sub } = JSON.parse(new TextDecoder().decode(bytes))
  document.querySelector('#greeting').textContent = `Welcome back, ${name ?? sub}.`
  event.target.remove()
})
