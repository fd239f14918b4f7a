// Passkeys: the form says what is to be signed or made (data-options); the answer goes into its field `passkey`.
"use strict";

(() => {
  const form = document.querySelector("form[data-passkey]");
  const start = form?.querySelector("[data-passkey-start]");
  if (!form || !start) return;

  const bytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const opened = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  function tell(said) {
    let place = form.querySelector("[data-passkey-said]");
    if (!place) {
      place = document.createElement("p");
      place.className = "field-error";
      place.dataset.passkeySaid = "";
      place.setAttribute("role", "alert");
      form.prepend(place);
    }
    place.textContent = said;
  }

  async function make(options) {
    const made = await navigator.credentials.create({
      publicKey: {
        ...options,
        challenge: bytes(options.challenge),
        user: { ...options.user, id: bytes(options.user.id) },
        excludeCredentials: opened(options.excludeCredentials),
      },
    });
    return answer(made, {
      attestationObject: text(made.response.attestationObject),
      transports: made.response.getTransports?.() || [],
    });
  }

  async function get(options) {
    const got = await navigator.credentials.get({
      publicKey: { ...options, challenge: bytes(options.challenge), allowCredentials: opened(options.allowCredentials) },
    });
    return answer(got, {
      authenticatorData: text(got.response.authenticatorData),
      signature: text(got.response.signature),
      userHandle: got.response.userHandle ? text(got.response.userHandle) : null,
    });
  }

  const answer = (credential, response) => ({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { clientDataJSON: text(credential.response.clientDataJSON), ...response },
  });

  if (!window.PublicKeyCredential) {
    start.setAttribute("aria-disabled", "true");
    start.dataset.tip = "This browser knows no passkeys, or the page came without https";
    return;
  }
  start.addEventListener("click", async () => {
    if (!form.reportValidity()) return;
    const options = JSON.parse(form.dataset.options).publicKey;
    try {
      const given = await (form.dataset.passkey === "create" ? make(options) : get(options));
      form.elements.passkey.value = JSON.stringify(given);
      form.requestSubmit();
    } catch (error) {
      tell(error.name === "InvalidStateError" ? "This device has a passkey here already." : "No passkey was given. Try again, or take another way.");
    }
  });
})();
