namespace Ingot.Chat;

/// <summary>A conversation as a template writes it.</summary>
/// <param name="Text">The whole text.</param>
/// <param name="Generated">
/// The parts inside <c>{% generation %}</c>, in order: what the model is to write. Empty where the template does not mark any.
/// </param>
public sealed record ChatRendering(string Text, IReadOnlyList<TextSpan> Generated);
