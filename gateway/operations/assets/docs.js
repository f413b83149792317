// Starts Swagger UI on the page that `GET /docs` answers with. A file of its own, since the page allows no inline script.
window.ui = SwaggerUIBundle({
  url: "openapi.json", // beside the page
  dom_id: "#api",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  validatorUrl: null, // the default sends the document to another host
});
