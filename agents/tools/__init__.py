"""Where operations come from: connectors, the tools they offer, and the credentials they use."""
