namespace Ingot.Chat.Templates;

/// <summary>
/// What a template reads that is not there. It writes nothing, is false and empty; to use it for anything else is an error, which says
/// what was not there.
/// </summary>
/// <param name="what">What was looked for, as an error says it: <c>message.name</c>.</param>
internal sealed class Undefined(string what)
{
    /// <summary>What was looked for.</summary>
    public string What { get; } = what;
}
