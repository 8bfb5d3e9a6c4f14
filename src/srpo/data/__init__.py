"""SSUI: from pictures to reviewed minimal sets (`docs/ssui.md`).  Agents write, judges check, people decide."""
