using Ingot.Data;
using Ingot.Training;

namespace Ingot.Trainer;

/// <summary>Texts that a model reads, one by one, each with what messages call it.</summary>
/// <param name="Texts">The texts. They may be read again if <see cref="IsRepeatable"/>.</param>
/// <param name="IsRepeatable">Whether they may be read more than once, so that all can be checked before the first is used.</param>
internal sealed record SourceInput(IEnumerable<(string Text, string Name)> Texts, bool IsRepeatable)
{
    /// <summary>Those of the command line, of a file, or else of standard input.</summary>
    /// <exception cref="TrainingOptionsException">Both are given, or there is nothing.</exception>
    public static SourceInput Of(string[] texts, string? file, string field)
    {
        if (file is not null)
        {
            return texts.Length > 0 ? throw new TrainingOptionsException(["give texts or --input, not both"])
                : File.Exists(file) ? new(LineTexts.Read(file, field).Select(line => (line.Text, $"{file}, line {line.Line}")), true)
                : throw new TrainingOptionsException([$"--input {file}: there is no such file"]);
        }

        if (texts.Length > 0)
        {
            return new([.. texts.Select((text, i) => (text, $"text {i + 1}"))], true);
        }

        return Console.IsInputRedirected ? new(StandardInput(), false)
            : throw new TrainingOptionsException(["there is no text: give some, or a file as --input, or lines on standard input"]);
    }

    private static IEnumerable<(string Text, string Name)> StandardInput()
    {
        for (long line = 1; Console.In.ReadLine() is { } text; line++)
        {
            yield return (text, $"standard input, line {line}");
        }
    }
}
