using System.Globalization;
using System.Text.Json;

namespace Ingot.Scoring;

/// <summary>A multiple-choice question.</summary>
/// <param name="Place">File and line.</param>
/// <param name="Context">What the model reads.</param>
/// <param name="Choices">What it may go on with.</param>
/// <param name="Answer">The right one, counted from 0.</param>
internal sealed record ChoiceItem(string Place, string Context, IReadOnlyList<string> Choices, int Answer)
{
    /// <summary>Takes the question out of a record.</summary>
    /// <exception cref="InvalidDataException">The record has none; the message says what is missing.</exception>
    public static ChoiceItem Read(DataRecord record, RecordPrompt prompt, MultipleChoiceOptions options)
    {
        var field = options.ChoicesField is { } name ? record.Get(name) : record.Get("choices", "endings");
        var labels = new List<string>();
        if (field.ValueKind == JsonValueKind.Object)
        {
            // As ARC's files have it.
            if (field.TryGetProperty("label", out var given) && given.ValueKind == JsonValueKind.Array)
                labels.AddRange(given.EnumerateArray().Select(label => label.ToString()));
            if (!field.TryGetProperty("text", out field))
                throw record.Bad("the choices are an object without a list \"text\"");
        }

        if (field.ValueKind != JsonValueKind.Array || field.EnumerateArray().Any(choice => DataRecord.Text(choice) is null))
            throw record.Bad("the choices are no list of texts");
        string[] choices = [.. field.EnumerateArray().Select(choice => choice.GetString()!)];
        if (choices.Length < 2)
            throw record.Bad($"{choices.Length} choices are none to choose among");
        if (Array.IndexOf(choices, "") is var empty and >= 0)
            throw record.Bad($"choice {empty + 1} is empty");
        var answer = options.AnswerField is { } key ? record.Get(key) : record.Get("answer", "gold", "answerKey", "label");
        return new ChoiceItem(record.Place, prompt.Make(record), choices, FindAnswer(record, answer, choices, labels));
    }

    private static int FindAnswer(DataRecord record, JsonElement answer, string[] choices, List<string> labels)
    {
        var text = answer.ToString();
        var place = labels.IndexOf(text);
        if (place < 0 && answer.ValueKind == JsonValueKind.String)
            place = Array.IndexOf(choices, text);
        if (place < 0 && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            place = number;
        if (place < 0 && text is [>= 'A' and <= 'Z'])
            place = text[0] - 'A';
        return place >= 0 && place < choices.Length ? place : throw record.Bad($"the answer {answer.GetRawText()} is none of the "
            + $"{choices.Length} choices: it is a label, a choice's text, its number from 0, or its letter");
    }
}
