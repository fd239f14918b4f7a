"""What runs. It knows nothing of governance: it asks the port `agents.gate`, whose implementation the settings name.

gate        Action, Verdict, the Gate protocol
catalogue   Provider, LanguageModel, Price; inference
tools       Connector, Tool, Credential
registry    Agent, AgentVersion
runs        Session, Run, Step, Event; the engine that advances a run from its journal
"""
