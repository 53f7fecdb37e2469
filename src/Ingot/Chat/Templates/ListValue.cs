namespace Ingot.Chat.Templates;

/// <summary>A list or, from <c>a, b</c> and <c>items()</c>, a tuple. Neither ever changes.</summary>
/// <param name="Items">What is in it.</param>
/// <param name="IsTuple">Whether it writes itself as a tuple.</param>
internal sealed record ListValue(IReadOnlyList<object?> Items, bool IsTuple = false);
