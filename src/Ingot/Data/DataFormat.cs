namespace Ingot.Data;

/// <summary>What files of training data hold.</summary>
public enum DataFormat
{
    /// <summary>As the file's beginning shows.</summary>
    Auto,

    /// <summary>Running text: files of text, or JSON Lines with a document as "text" each.</summary>
    Text,

    /// <summary>Examples by themselves: lines of text, strings of a JSON array, or JSON Lines of strings or objects with a "text".</summary>
    Examples,

    /// <summary>Conversations and prompts with answers.</summary>
    Chat,
}
