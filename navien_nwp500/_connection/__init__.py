"""REST and MQTT to the cloud: pool, connection, connector, request/response, subscriptions, transports."""
