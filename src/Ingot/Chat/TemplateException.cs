namespace Ingot.Chat;

/// <summary>A chat template cannot be read or rendered, or refuses a conversation. The message names template, line and reason.</summary>
public sealed class TemplateException : FormatException
{
    /// <summary>Makes the error.</summary>
    /// <param name="template">The template's name or file.</param>
    /// <param name="line">The line in it, counted from 1.</param>
    /// <param name="problem">What is wrong.</param>
    public TemplateException(string template, int line, string problem)
        : base($"{template}, line {line}: {problem}")
    {
        Line = line;
    }

    /// <summary>The template's line, counted from 1.</summary>
    public int Line { get; }
}
