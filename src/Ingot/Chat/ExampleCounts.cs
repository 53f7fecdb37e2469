namespace Ingot.Chat;

/// <summary>What became of the examples that were encoded.</summary>
/// <param name="Examples">How many there were.</param>
/// <param name="Truncated">How many were cut to the length, and keep something to learn.</param>
/// <param name="TooLong">How many were dropped because nothing to learn was left within the length.</param>
/// <param name="WithoutTargets">How many were dropped because they have no answer.</param>
/// <param name="Tokens">The tokens of those that are left.</param>
/// <param name="Targets">How many of these are learnt.</param>
public readonly record struct ExampleCounts(long Examples, long Truncated, long TooLong, long WithoutTargets, long Tokens, long Targets);
