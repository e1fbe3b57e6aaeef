"""`turbine smoke`: one small run through a deployed stack, told step by step, and which facts about AWS it showed."""
